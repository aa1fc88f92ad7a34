package db

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
)

// Full tells whether an error says that there is no room left: the disk is full, or what the file may have is used up. Nothing was written then; when there is room
// again, the same succeeds.
func Full(err error) bool {
	const sqliteFull, diskFull = 13, "53100"
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return lite.Code()&0xff == sqliteFull
	}
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == diskFull
}
