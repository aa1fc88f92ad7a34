package seal_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/seal"
	"pgregory.net/rapid"
)

func ring(t testing.TB, b byte) *seal.Keyring {
	t.Helper()
	k, err := seal.New(bytes.Repeat([]byte{b}, 32))
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return k
}

func noEnv(string) string { return "" }

func TestSealedValueOpensInItsPlaceOnly(t *testing.T) {
	k := ring(t, 1)
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		place := rapid.String().Draw(t, "place")
		other := rapid.String().Filter(func(s string) bool { return s != place }).Draw(t, "other")
		sealed := k.Seal(plain, place)
		if got, err := k.Open(sealed, place); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("Open of what Seal gave: %q, %v; want %q", got, err, plain)
		}
		if _, err := k.Open(sealed, other); err == nil || !strings.Contains(err.Error(), "moved") {
			t.Errorf("Open in another place: %v", err)
		}
	})
}

func TestDamagedValueDoesNotOpen(t *testing.T) {
	k := ring(t, 1)
	sealed := k.Seal([]byte("whsec_abc"), "endpoint secret 17")
	for i := range sealed {
		for bit := range 8 {
			damaged := bytes.Clone(sealed)
			damaged[i] ^= 1 << bit
			if plain, err := k.Open(damaged, "endpoint secret 17"); err == nil {
				t.Errorf("with bit %d of byte %d turned it opened as %q", bit, i, plain)
			}
		}
	}
	for n := range sealed {
		if _, err := k.Open(sealed[:n], "endpoint secret 17"); err == nil {
			t.Errorf("cut to %d bytes it opened", n)
		}
	}
	if _, err := k.Open(append(bytes.Clone(sealed), 0), "endpoint secret 17"); err == nil {
		t.Error("with a byte more it opened")
	}
}

func TestValueOfAnotherKeyIsToldFromADamagedOne(t *testing.T) {
	one, two := ring(t, 1), ring(t, 2)
	_, err := two.Open(one.Seal([]byte("x"), "c"), "c")
	if err == nil || !strings.Contains(err.Error(), "another master key") {
		t.Errorf("Open under another key: %v", err)
	}
	if one.Fingerprint() == two.Fingerprint() || one.Fingerprint() != ring(t, 1).Fingerprint() || len(one.Fingerprint()) != 32 {
		t.Errorf("fingerprints: %s and %s", one.Fingerprint(), two.Fingerprint())
	}
}

func TestSameValueIsNeverSealedTheSameWayTwice(t *testing.T) {
	k := ring(t, 1)
	if bytes.Equal(k.Seal([]byte("x"), "c"), k.Seal([]byte("x"), "c")) {
		t.Error("Seal gave the same bytes twice")
	}
}

func TestMACIsTheKeysOwn(t *testing.T) {
	a, b := ring(t, 1), ring(t, 2)
	if !bytes.Equal(a.MAC([]byte("v")), ring(t, 1).MAC([]byte("v"))) || len(a.MAC(nil)) != 32 {
		t.Error("MAC is not the same for the same key and value")
	}
	if bytes.Equal(a.MAC([]byte("v")), b.MAC([]byte("v"))) || bytes.Equal(a.MAC([]byte("v")), a.MAC([]byte("w"))) {
		t.Error("MAC is the same for another key or value")
	}
}

func FuzzOpen(f *testing.F) {
	k, err := seal.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(k.Seal([]byte("x"), "c"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, sealed []byte) {
		if plain, err := k.Open(sealed, "another place"); err == nil {
			t.Errorf("%x opened as %q", sealed, plain)
		}
	})
}

func TestKeyFileIsMadeOnceAndForItsOwnerOnly(t *testing.T) {
	file := filepath.Join(t.TempDir(), "master.key")
	first, err := seal.Load(noEnv, file)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file has mode %v (%v), want 0600", info.Mode().Perm(), err)
	}
	second, err := seal.Load(noEnv, file)
	if err != nil || second.Fingerprint() != first.Fingerprint() {
		t.Errorf("loaded again, the key is another one, or %v", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(file)); len(entries) != 1 || err != nil {
		t.Errorf("beside the key file there is more: %v, %v", entries, err)
	}
}

func TestKeyFileThatOthersMayReadIsRefused(t *testing.T) {
	for _, mode := range []os.FileMode{0o644, 0o640, 0o604, 0o660, 0o620} {
		file := filepath.Join(t.TempDir(), "master.key")
		if _, err := seal.Load(noEnv, file); err != nil {
			t.Fatalf("Load: %v", err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := seal.Load(noEnv, file); err == nil || !strings.Contains(err.Error(), "chmod 600 "+file) {
			t.Errorf("Load of a key file with mode %04o: %v, want the remedy", mode, err)
		}
	}
}

func TestKeyIsTakenFromTheEnvironmentFirst(t *testing.T) {
	file := filepath.Join(t.TempDir(), "master.key")
	env := func(text string) func(string) string {
		return func(name string) string {
			if name != "STAGEDOOR_MASTER_KEY" {
				t.Errorf("environment variable %s was asked for", name)
			}
			return text
		}
	}
	k, err := seal.Load(env(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))+"\n"), file)
	if err != nil || k.Fingerprint() != ring(t, 1).Fingerprint() {
		t.Errorf("Load with a key in the environment: %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a key file was made though the environment has a key")
	}
	for text, want := range map[string]string{
		"secret!":  "STAGEDOOR_MASTER_KEY: not base64",
		"c2hvcnQ=": "has 5 bytes; it needs 32",
	} {
		if _, err := seal.Load(env(text), file); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), text) {
			t.Errorf("Load with %q in the environment: %v, want an error with %q and without the key", text, err, want)
		}
	}
}

func TestKeyFileThatIsNoKeyIsRefused(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{"empty": "", "short": "c2hvcnQ=\n", "text": "not a key\n"} {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := seal.Load(noEnv, file); err == nil {
			t.Errorf("a key file with %q was taken", text)
		}
	}
	if _, err := seal.Load(noEnv, filepath.Join(folder, "missing", "master.key")); err == nil {
		t.Error("a key file in a folder that does not exist was made")
	}
}

// printEnv makes the test binary a process that loads the named key file and prints the key's fingerprint.
const printEnv = "STAGEDOOR_TEST_PRINT_KEY"

// TestPrintFingerprint is that process.
func TestPrintFingerprint(t *testing.T) {
	file := os.Getenv(printEnv)
	if file == "" {
		t.Skip("runs as a process of TestProcessesThatStartTogetherHaveTheSameKey")
	}
	k, err := seal.Load(noEnv, file)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	if err := os.WriteFile(os.Getenv(printEnv+"_TO"), []byte(k.Fingerprint()), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestProcessesThatStartTogetherHaveTheSameKey(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "master.key")
	prints := make([]string, 6)
	var wg sync.WaitGroup
	for i := range prints {
		wg.Go(func() {
			to := filepath.Join(folder, "print"+string(rune('0'+i)))
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPrintFingerprint$", "-test.count=1")
			cmd.Env = append(os.Environ(), printEnv+"="+file, printEnv+"_TO="+to)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("process %d: %v\n%s", i, err, out)
			}
			b, _ := os.ReadFile(to)
			prints[i] = string(b)
		})
	}
	wg.Wait()
	for i, p := range prints {
		if p == "" || p != prints[0] {
			t.Errorf("process %d has the key %q and process 0 %q", i, p, prints[0])
		}
	}
}
