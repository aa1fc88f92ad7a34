package delivery

import (
	"errors"
	"fmt"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

// Bodies are kept from the first attempt on that failed, so that later ones send the same bytes. Some have credentials in them, so all are sealed at rest, bound to
// their fact and variant. A row says by its variant that its body is sealed: those of before there was this have a body in clear under the plain variant and stay
// readable, and a program that knows nothing of sealed ones finds none, and renders again.
const sealedVariant = "sealed "

// errDamaged says that a kept body does not open.
var errDamaged = errors.New("a kept envelope does not open")

// keptAs is what a kept body is bound to.
func keptAs(seq int64, variant string) string { return fmt.Sprintf("envelope %d %s", seq, variant) }

// toKeep is the body as the table has it. It is made once for all that share it, and outside of the transaction that writes it.
func (v *envelope) toKeep(keys *seal.Keyring, seq int64) []byte {
	v.keeping.Do(func() { v.sealed = keys.Seal(v.body, keptAs(seq, v.variant)) })
	return v.sealed
}

// openKept is the body of a row; nil of one that was erased.
func openKept(keys *seal.Keyring, seq int64, variant string, body []byte) ([]byte, error) {
	plain, sealed := strings.CutPrefix(variant, sealedVariant)
	if !sealed || body == nil {
		return body, nil
	}
	body, err := keys.Open(body, keptAs(seq, plain))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return body, nil
}

// kept returns a body that was kept, or nil when there is none.
func (e *Engine) kept(q db.Querier, seq int64, variant string) ([]byte, error) {
	type row struct {
		variant string
		body    []byte
	}
	rows, err := db.All(q, func(r db.Rows) (v row, err error) { return v, r.Scan(&v.variant, &v.body) },
		"SELECT variant, body FROM envelopes WHERE fact_seq = $1 AND variant IN ($2, $3)", seq, variant, sealedVariant+variant)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	found := rows[0]
	for _, r := range rows[1:] {
		if r.body == nil || found.body != nil && r.variant != variant {
			found = r
		}
	}
	if found.body == nil {
		return nil, ErrErased
	}
	return openKept(e.Keys, seq, found.variant, found.body)
}
