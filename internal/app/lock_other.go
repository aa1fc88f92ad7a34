//go:build !unix

package app

import (
	"fmt"
	"os"
)

// lockData takes the data folder for this process until the returned function is called. Where there is no lock that ends with its process, a file
// left behind by one that was killed has to be removed by hand.
func lockData(file string) (release func(), err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("another stagedoor serves this data folder; stop it, or remove %s if none runs: %w", file, err)
	}
	return func() { _ = f.Close(); _ = os.Remove(file) }, nil
}
