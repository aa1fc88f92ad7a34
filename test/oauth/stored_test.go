package oauth

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
)

// keeps checks that the database has none of the secrets as they are.
func (s *site) keeps(t *testing.T, secrets ...string) {
	t.Helper()
	dump := s.dump(t)
	if !bytes.Contains(dump, []byte("oa_")) {
		t.Fatal("what was read of the database has no app in it: this looks in the wrong place")
	}
	for _, secret := range secrets {
		part := []byte(secret)
		if len(secret) > 24 {
			part = part[4:24] // without the prefix, and however it was cut
		}
		for _, form := range [][]byte{part, []byte(hex.EncodeToString(part))} {
			if bytes.Contains(dump, form) {
				t.Errorf("the database has a secret as it is: %.8s…", secret)
			}
		}
	}
}

// dump is all that the database has in it: the files of SQLite, or every row of PostgreSQL.
func (s *site) dump(t *testing.T) []byte {
	t.Helper()
	var all bytes.Buffer
	if s.house.Database == "" {
		files, err := filepath.Glob(filepath.Join(s.house.Data, "*.db*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no database in %s: %v", s.house.Data, err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
		return all.Bytes()
	}
	conn, err := pgx.Connect(t.Context(), s.house.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		rows, err := conn.Query(t.Context(), `SELECT r::text FROM `+pgx.Identifier{table}.Sanitize()+` r`)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			all.WriteString(line + "\n")
		}
	}
	return all.Bytes()
}
