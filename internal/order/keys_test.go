package order_test

import (
	"bytes"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/seal"
)

func keyring(t testing.TB) *seal.Keyring {
	t.Helper()
	keys, err := seal.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}
