package harness

import (
	"errors"
	"fmt"
	"sync"

	"github.com/stagedoorhq/stagedoor/test/published"
)

// Published is what this test process has seen of StubHub's vocabulary, held against the published documents: every exchange of a [Client] in /v2 and /catalog, and
// every delivery to a [Receiver]. Other clients put its Transport into theirs.
func Published() *published.Record {
	record, _ := publishedRecord()
	return record
}

var publishedRecord = sync.OnceValues(published.NewRecord)

// asPublished says, at the end, what was not as published and, of a whole run, what of it was never exercised.
func asPublished(whole bool) bool {
	record, err := publishedRecord()
	if err != nil {
		fmt.Println("---", err) //nolint:forbidigo // there is no test to say it
		return errors.Is(err, published.ErrAbsent)
	}
	complaints := record.Complaints(whole)
	for _, c := range complaints {
		fmt.Println("---", c) //nolint:forbidigo // there is no test to say it
	}
	return len(complaints) == 0
}
