package pass

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/evm"
)

// Secret returns what the installation has made for itself under a name, which create makes when it is asked for first. It is sealed at rest, and all nodes have
// the same. It must not be called within a transaction.
func (b *Book) Secret(ctx context.Context, name string, create func() ([]byte, error)) ([]byte, error) {
	return b.secret(ctx, b.db.Read(ctx), name, create)
}

// secret is Secret by a querier, which may be a transaction: then what is made is made in it.
func (b *Book) secret(ctx context.Context, q db.Querier, name string, create func() ([]byte, error)) ([]byte, error) {
	b.mu.Lock()
	plain, known := b.secrets[name]
	b.mu.Unlock()
	if known {
		return plain, nil
	}
	plain, err := b.loadSecret(q, name)
	if errors.Is(err, db.ErrNoRow) {
		if plain, err = create(); err != nil {
			return nil, fmt.Errorf("make %s: %w", name, err)
		}
		if err = b.within(ctx, q, func(tx *db.Tx) error { return b.storeSecret(tx, name, plain) }); err != nil {
			return nil, err
		}
		plain, err = b.loadSecret(q, name) // which another node may have made first
	}
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", name, err)
	}
	keep := func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.secrets[name] = plain
	}
	if tx, ok := q.(*db.Tx); ok {
		tx.OnCommit(keep)
	} else {
		keep()
	}
	return plain, nil
}

func sealedSecret(name string) string { return "pass secret " + name }

func (b *Book) loadSecret(q db.Querier, name string) ([]byte, error) {
	sealed, err := db.One(q, db.Value[[]byte], `SELECT sealed FROM pass_secrets WHERE name = $1`, name)
	if err != nil {
		return nil, err
	}
	return b.keys.Open(sealed, sealedSecret(name))
}

func (b *Book) storeSecret(tx *db.Tx, name string, plain []byte) error {
	_, err := tx.Exec(`INSERT INTO pass_secrets (name, sealed, at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING`,
		name, b.keys.Seal(plain, sealedSecret(name)), tx.Micros())
	if err != nil {
		return fmt.Errorf("store %s: %w", name, err)
	}
	return nil
}

// within writes in the querier's transaction, or in one of its own.
func (b *Book) within(ctx context.Context, q db.Querier, do func(tx *db.Tx) error) error {
	if tx, ok := q.(*db.Tx); ok {
		return do(tx)
	}
	return b.db.Write(ctx, "", do)
}

// Signer is the address whose key signs what barcodes say: an EIP-191 signature over the pass's id, ":" and the barcode's message. It must not be called within a
// transaction.
func (b *Book) Signer(ctx context.Context) (string, error) {
	key, err := b.signer(ctx, b.db.Read(ctx))
	if err != nil {
		return "", err
	}
	return key.Address().String(), nil
}

func (b *Book) signer(ctx context.Context, q db.Querier) (*evm.Key, error) {
	secret, err := b.secret(ctx, q, "barcode signer", func() ([]byte, error) {
		for {
			secret := make([]byte, 32)
			_, _ = rand.Read(secret)
			if _, err := evm.NewKey(secret); err == nil { // all but a few numbers in 2^128 are keys
				return secret, nil
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return evm.NewKey(secret)
}

// sign notes the signature of what the pass's barcode says now.
func (b *Book) sign(tx *db.Tx, p *Pass, message string) error {
	key, err := b.signer(context.Background(), tx) // in the transaction, which waits for nobody
	if err != nil {
		return err
	}
	signature := key.Sign(string(p.ID) + ":" + message)
	p.Signature = signature[:]
	return nil
}
