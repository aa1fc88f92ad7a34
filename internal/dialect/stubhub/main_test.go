package stubhub_test

import (
	"os"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db/pgtest"
	"github.com/stagedoorhq/stagedoor/test/published"
)

// Every exchange of the tests is held against what StubHub publishes.
func TestMain(m *testing.M) { os.Exit(pgtest.Main(published.Watch(m))) }
