package harness

import (
	"path/filepath"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db/pgtest"
)

// OnDisk is a fresh installation on SQLite or PostgreSQL ("sqlite", "postgres") whose tables lie in a folder, which may be a small disk. PostgreSQL's log and its
// own tables lie elsewhere: a server whose log has no room ends, which is its operator's business and not what a test of ours looks at.
func OnDisk(t *testing.T, engine, folder string) *House {
	t.Helper()
	if engine == "sqlite" {
		return &House{Data: filepath.Join(folder, "data"), bin: Binary(t)}
	}
	if pgtest.Unavailable() != "" {
		pgtest.Shared(t) // skips, or fails where it must not be skipped
	}
	c, err := pgtest.Start(pgtest.Options{Fsync: true})
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	t.Cleanup(c.Stop)
	if err := c.CreateDatabaseIn(t.Context(), "stagedoor", folder); err != nil {
		t.Fatal(err)
	}
	return &House{Data: filepath.Join(t.TempDir(), "data"), Database: c.URL("stagedoor"), bin: Binary(t)}
}
