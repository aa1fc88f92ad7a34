package stubhub_test

import (
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }
