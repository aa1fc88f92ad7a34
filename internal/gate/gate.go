// Package gate is the door of a live event.
package gate
