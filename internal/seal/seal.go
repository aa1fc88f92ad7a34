// Package seal keeps secrets that must be used again (signing secrets, kept answers and envelopes) encrypted at rest, under one master key.
//
// A [Keyring] seals with AES-256-GCM. Each sealed value begins with the fingerprint of the key it was sealed under, so that a value
// under another key is told apart from a damaged one. The context given to Seal (for instance "endpoint secret 17") is authenticated
// too: a sealed value moved to another row does not open.
//
// The key comes from STAGEDOOR_MASTER_KEY (32 bytes, base64) or from a file of mode 0600 that is made on first start. Losing the key
// loses the secrets; the database keeps its fingerprint so that a node with another key refuses to start.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// EnvVar is the environment variable that holds the master key.
const EnvVar = "STAGEDOOR_MASTER_KEY"

const (
	version   = 1
	printSize = 4
	keySize   = 32
)

// Keyring seals and opens. It is safe for use by many goroutines.
type Keyring struct {
	aead cipher.AEAD
	mac  []byte // derived; for values that need only be recognised
	id   [printSize]byte
	full string
}

// New makes a keyring from a master key of 32 bytes.
func New(master []byte) (*Keyring, error) {
	if len(master) != keySize {
		return nil, fmt.Errorf("the master key has %d bytes; it needs %d (make one with: openssl rand -base64 32)", len(master), keySize)
	}
	block, err := aes.NewCipher(derive(master, "stagedoor seal v1"))
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	k := &Keyring{aead: aead, mac: derive(master, "stagedoor mac v1")}
	sum := derive(master, "stagedoor fingerprint v1")
	copy(k.id[:], sum)
	k.full = hex.EncodeToString(sum[:16])
	return k, nil
}

func derive(master []byte, purpose string) []byte {
	h := hmac.New(sha256.New, master)
	h.Write([]byte(purpose))
	return h.Sum(nil)
}

// Load takes the master key from the environment variable [EnvVar] if that is set, else from the file, which it makes with mode 0600
// when it does not exist. A file that others may read is refused.
func Load(getenv func(string) string, file string) (*Keyring, error) {
	if text := getenv(EnvVar); text != "" {
		master, err := decode(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", EnvVar, err)
		}
		return New(master)
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := create(file); err != nil {
			return nil, fmt.Errorf("make master key: %w", err)
		}
	case err != nil:
		return nil, fmt.Errorf("master key: %w", err)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("the master key %s may be read by others (mode %04o); run: chmod 600 %s", file, info.Mode().Perm(), file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	master, err := decode(string(text))
	if err != nil {
		return nil, fmt.Errorf("master key %s: %w", file, err)
	}
	return New(master)
}

func decode(text string) ([]byte, error) {
	master, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil, errors.New("not base64; make a key with: openssl rand -base64 32")
	}
	return master, nil
}

// create writes a new key so that two processes that start together end with the same one: whoever links first wins.
func create(file string) error {
	master := make([]byte, keySize)
	_, _ = rand.Read(master)
	f, err := os.CreateTemp(dir(file), ".master-key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.WriteString(base64.StdEncoding.EncodeToString(master) + "\n"); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir(file))
}

func dir(file string) string {
	if i := strings.LastIndexByte(file, os.PathSeparator); i > 0 {
		return file[:i]
	}
	return "."
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Fingerprint names the key without giving anything of it away: 32 hexadecimal digits.
func (k *Keyring) Fingerprint() string { return k.full }

// Seal encrypts plain. The context is not stored; Open needs the same one.
func (k *Keyring) Seal(plain []byte, context string) []byte {
	head := 1 + printSize + k.aead.NonceSize()
	out := make([]byte, head, head+len(plain)+k.aead.Overhead())
	out[0] = version
	copy(out[1:], k.id[:])
	_, _ = rand.Read(out[1+printSize:])
	return k.aead.Seal(out, out[1+printSize:head], plain, []byte(context))
}

// Open decrypts what Seal gave for the same context. It fails for a value that was damaged, moved, or sealed under another key.
func (k *Keyring) Open(sealed []byte, context string) ([]byte, error) {
	head := 1 + printSize + k.aead.NonceSize()
	if len(sealed) < head+k.aead.Overhead() || sealed[0] != version {
		return nil, errors.New("open sealed value: not a sealed value")
	}
	if string(sealed[1:1+printSize]) != string(k.id[:]) {
		return nil, fmt.Errorf("open sealed value: sealed under another master key (%x)", sealed[1:1+printSize])
	}
	plain, err := k.aead.Open(nil, sealed[1+printSize:head], sealed[head:], []byte(context))
	if err != nil {
		return nil, fmt.Errorf("open sealed value (%s): damaged, or moved from elsewhere", context)
	}
	return plain, nil
}

// MAC returns the HMAC-SHA256 of a value under a key derived from the master key: for secrets that need only be recognised but are
// short enough to be guessed from a plain hash.
func (k *Keyring) MAC(value []byte) []byte {
	h := hmac.New(sha256.New, k.mac)
	h.Write(value)
	return h.Sum(nil)
}
