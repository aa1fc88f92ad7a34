package evm_test

import (
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/evm"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

func FuzzParseAddress(f *testing.F) {
	for _, a := range addresses {
		f.Add(a)
		f.Add(strings.ToLower(a))
		f.Add(a[:41])
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := evm.ParseAddress(text)
		if err != nil {
			if problem.As(err) == nil || a != (evm.Address{}) {
				t.Errorf("ParseAddress(%q) = %s, %v", text, a, err)
			}
			return
		}
		if !strings.EqualFold(a.String(), text) {
			t.Errorf("ParseAddress(%q) = %s", text, a)
		}
		if again, err := evm.ParseAddress(a.String()); err != nil || again != a {
			t.Errorf("ParseAddress(%q) = %s, %v", a.String(), again, err)
		}
	})
}

func FuzzParseSignature(f *testing.F) {
	for _, s := range signings {
		f.Add(s.signature, s.message)
	}
	f.Add(signings[0].signature[:130]+"00", "Some data")
	f.Fuzz(func(t *testing.T, text, message string) {
		s, err := evm.ParseSignature(text)
		if err != nil {
			if problem.As(err) == nil || s != (evm.Signature{}) {
				t.Errorf("ParseSignature(%q) = %s, %v", text, s, err)
			}
			return
		}
		if again, err := evm.ParseSignature(s.String()); err != nil || again != s {
			t.Errorf("ParseSignature(%q) = %s, %v", s.String(), again, err)
		}
		who, err := evm.Recover(message, s)
		if again, err2 := evm.Recover(message, s); again != who || (err == nil) != (err2 == nil) {
			t.Errorf("Recover(%q, %s) = %s, %v, and then %s, %v", message, s, who, err, again, err2)
		}
	})
}

// What a key signs is recovered to its address, and has the form that is taken.
func FuzzSign(f *testing.F) {
	f.Add([]byte("a key"), "Some data")
	f.Add([]byte{}, "")
	f.Fuzz(func(t *testing.T, seed []byte, message string) {
		secret := sha256.Sum256(seed)
		k, err := evm.NewKey(secret[:])
		if err != nil {
			t.Skip() // one in 2^127
		}
		sig := k.Sign(message)
		if again := k.Sign(message); again != sig {
			t.Errorf("the key of %q signs %q with %s, and then with %s", seed, message, sig, again)
		}
		if parsed, err := evm.ParseSignature(sig.String()); err != nil || parsed != sig {
			t.Errorf("ParseSignature(%s) = %s, %v", sig, parsed, err)
		}
		if who, err := evm.Recover(message, sig); err != nil || who != k.Address() {
			t.Errorf("Recover(%q, %s) = %s, %v; want %s", message, sig, who, err, k.Address())
		}
	})
}
