package app

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/google/uuid"
)

// nodeName reads the installation's lasting name from its file, or makes one.
func nodeName(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err == nil && strings.TrimSpace(string(text)) != "" {
		return strings.TrimSpace(string(text)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	name := uuid.Must(uuid.NewRandom()).String()
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nodeName(file)
	}
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(name + "\n")
	return name, errors.Join(err, f.Sync(), f.Close())
}
