package ticketcode_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/ticketcode"
)

// The fuzz targets hold that no bytes make a reader panic, and that what is taken has one spelling: written again, it is the same.

// FuzzParse also holds that nothing is verified but the codes that the seeds have signed.
func FuzzParse(f *testing.F) {
	genuine := map[string]bool{}
	keys := vectorKeys(f)
	for _, v := range readVectors(f).Tickets {
		f.Add(v.Text)
		genuine[v.Text] = v.Error != "bad_signature" && v.Error != "malformed"
	}
	for _, v := range readVectors(f).Rotating {
		f.Add(v.Text)
	}
	rotation := aRotation().rotation(f)
	signer := newSigner(f, 1, privates[1])
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = rotation.Verify(keys, text, opening)
		if _, err := keys.Verify(text, opening); err == nil && !genuine[text] {
			t.Fatalf("Verify accepted %q", text)
		}
		token, err := ticketcode.ParseUnverified(text)
		if err != nil {
			return
		}
		again, err := signer.Sign(token)
		if err != nil {
			t.Fatalf("ParseUnverified took %q for %+v, and Sign refuses that: %v", text, token, err)
		}
		read, err := ticketcode.ParseUnverified(again)
		read.KeyID = token.KeyID
		if err != nil || read != token {
			t.Fatalf("%+v was signed, and read as %+v, %v", token, read, err)
		}
	})
}

func FuzzBase45(f *testing.F) {
	for _, v := range readVectors(f).Base45 {
		f.Add(v.Text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := ticketcode.DecodeBase45(text)
		if err == nil && ticketcode.EncodeBase45(b) != text {
			t.Fatalf("DecodeBase45(%q): got %x, which is written %q", text, b, ticketcode.EncodeBase45(b))
		}
		encoded := ticketcode.EncodeBase45([]byte(text))
		if back, err := ticketcode.DecodeBase45(encoded); err != nil || string(back) != text {
			t.Fatalf("EncodeBase45(%x): got %q, which is read as %x, %v", text, encoded, back, err)
		}
		if plain := plainBase45([]byte(text)); plain != encoded {
			t.Fatalf("EncodeBase45(%x): got %q, want %q", text, encoded, plain)
		}
	})
}

func FuzzKeySet(f *testing.F) {
	f.Add([]byte(readVectors(f).KeySet))
	for _, v := range readVectors(f).KeySets {
		f.Add([]byte(v.JSON))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := ticketcode.ParseKeySet(text)
		if err != nil {
			return
		}
		written, err := json.Marshal(keys)
		if err != nil {
			t.Fatalf("ParseKeySet took %q, and MarshalJSON fails: %v", text, err)
		}
		again, err := ticketcode.ParseKeySet(written)
		if err != nil {
			t.Fatalf("MarshalJSON wrote %s, and ParseKeySet fails: %v", written, err)
		}
		if rewritten, err := json.Marshal(again); err != nil || !bytes.Equal(rewritten, written) {
			t.Fatalf("%s was read and written as %s, %v", written, rewritten, err)
		}
	})
}

func FuzzRevocations(f *testing.F) {
	keys := vectorKeys(f)
	for _, v := range readVectors(f).Revocations {
		f.Add(unbase64(f, v.Base64))
	}
	signer := map[byte]*ticketcode.Signer{1: newSigner(f, 1, privates[1]), 2: newSigner(f, 2, privates[2])}
	f.Fuzz(func(t *testing.T, data []byte) {
		// Signed anew, so that what lies behind the signature is reached too.
		if len(data) > 64 {
			data = signList(1, data[:len(data)-64])
		}
		l, err := keys.VerifyRevocations(data, time.Unix(now, 0))
		if err != nil {
			return
		}
		again, err := signer[data[4]].SignRevocations(l)
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("VerifyRevocations took %x for %+v, which is written %x, %v", data, l, again, err)
		}
	})
}

func FuzzShortCode(f *testing.F) {
	for _, v := range readVectors(f).ShortCodes {
		f.Add(v.Typed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code, err := ticketcode.ParseShortCode(typed)
		if err != nil {
			return
		}
		if again, err := ticketcode.ParseShortCode(code); err != nil || again != code {
			t.Fatalf("ParseShortCode(%q): got %q, which is read as %q, %v", typed, code, again, err)
		}
	})
}
