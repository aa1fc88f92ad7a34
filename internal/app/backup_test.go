package app_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/app"
)

// serve serves an installation until the test ends and returns where.
func serve(t *testing.T, core *app.Core) string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ready := make(chan app.Served, 1)
	done := make(chan error, 1)
	go func() { done <- core.Serve(ctx, func(s app.Served) { ready <- s }) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	select {
	case s := <-ready:
		return s.URL
	case err := <-done:
		done <- nil
		t.Fatalf("Serve: %v", err)
		return ""
	}
}

func TestBackupWhileOrdersComeInIsWhole(t *testing.T) {
	c := app.Config{Data: t.TempDir(), Listen: "127.0.0.1:0"}
	core := open(t, c)
	serve(t, core)
	o := newOrg(t, core, "hall")
	newEndpoint(t, core, o)
	sell(t, core, o)

	var sellers sync.WaitGroup
	stop := make(chan struct{})
	begun := make(chan struct{})
	sellers.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			sell(t, core, o)
			if n == 3 {
				close(begun)
			}
		}
	})
	<-begun
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.Mkdir(copied, 0o700); err != nil {
		t.Fatal(err)
	}
	b, err := app.WriteBackup(t.Context(), c, filepath.Join(copied, "stagedoor.db"))
	close(stop)
	sellers.Wait()
	if err != nil {
		t.Fatalf("WriteBackup: %v", err)
	}
	if want := filepath.Join(c.Data, "master.key"); b.MasterKey != want || b.Bytes == 0 {
		t.Errorf("WriteBackup = %+v, want the master key %s and a size", b, want)
	}

	key, err := os.ReadFile(b.MasterKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(copied, "master.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := open(t, app.Config{Data: copied}).Audit(t.Context())
	if err != nil || len(a.Differences) > 0 || a.Facts == 0 {
		t.Errorf("Audit of the copy = %+v, %v, want facts and nothing that differs", a, err)
	}
}

func TestBackupOfPostgreSQLIsRefused(t *testing.T) {
	each(t, func(t *testing.T, c app.Config) {
		if c.Database == "" {
			return
		}
		open(t, c)
		_, err := app.WriteBackup(t.Context(), c, filepath.Join(t.TempDir(), "copy.db"))
		if err == nil || !strings.Contains(err.Error(), "pg_dump") {
			t.Errorf("WriteBackup = %v, want an error that names pg_dump", err)
		}
	})
}
