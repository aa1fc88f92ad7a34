package webhook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strconv"
	"sync"
	"time"
)

// A keyring holds the keys of a Signer or a Verifier and the work areas that go with them. An HMAC whose key has been set up costs
// half of a new one for a small body and allocates nothing, so they are kept and reset; each is used by one goroutine at a time.
type keyring struct {
	keys []key
	pool sync.Pool // of *work
}

// work is what one signing or verifying call needs.
type work struct {
	macs   []hash.Hash // by the place of the key; nil for keys of another kind
	digest [sha256.Size]byte
	prefix []byte // what is signed before the body: "timestamp." or "id.timestamp."
	signed []byte // Ed25519 needs prefix and body in one piece
	out    []byte // what is being written
}

// maxKept bounds the memory that an idle work area keeps.
const maxKept = 64 << 10

func (r *keyring) get() *work {
	if w, ok := r.pool.Get().(*work); ok {
		return w
	}
	w := &work{macs: make([]hash.Hash, len(r.keys))}
	for i := range r.keys {
		if r.keys[i].secret != nil {
			w.macs[i] = hmac.New(sha256.New, r.keys[i].secret)
		}
	}
	return w
}

func (r *keyring) put(w *work) {
	if cap(w.signed) > maxKept {
		w.signed = nil
	}
	w.prefix, w.signed, w.out = w.prefix[:0], w.signed[:0], w.out[:0]
	r.pool.Put(w)
}

// oldest and newest return the places of the first and the last key that is valid at t, -1 if there is none.
func (r *keyring) oldest(t time.Time) int {
	for i := range r.keys {
		if r.keys[i].live(t) {
			return i
		}
	}
	return -1
}

func (r *keyring) newest(t time.Time) int {
	for i := len(r.keys) - 1; i >= 0; i-- {
		if r.keys[i].live(t) {
			return i
		}
	}
	return -1
}

func (w *work) setPrefix(id string, seconds int64) {
	w.prefix = w.prefix[:0]
	if id != "" {
		w.prefix = append(append(w.prefix, id...), '.')
	}
	w.prefix = append(strconv.AppendInt(w.prefix, seconds, 10), '.')
}

// mac returns the HMAC of prefix and body under key i; it is valid until the next call.
func (w *work) mac(i int, body []byte) []byte {
	h := w.macs[i]
	h.Reset()
	h.Write(w.prefix)
	h.Write(body)
	return h.Sum(w.digest[:0])
}

func (w *work) appendHex(i int, body []byte) { w.out = hex.AppendEncode(w.out, w.mac(i, body)) }

// message returns prefix and body in one piece, made once for a call.
func (w *work) message(body []byte) []byte {
	if len(w.signed) == 0 {
		w.signed = append(append(w.signed, w.prefix...), body...)
	}
	return w.signed
}

// appendStandard appends key i's entry of a webhook-signature header.
func (w *work) appendStandard(i int, k *key, body []byte) {
	if k.private != nil {
		w.out = append(w.out, v1a+","...)
		w.out = base64.StdEncoding.AppendEncode(w.out, ed25519.Sign(k.private, w.message(body)))
		return
	}
	w.out = append(w.out, v1+","...)
	w.out = base64.StdEncoding.AppendEncode(w.out, w.mac(i, body))
}
