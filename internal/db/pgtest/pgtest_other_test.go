//go:build !linux

package pgtest_test

const cpuIsKnown = false
