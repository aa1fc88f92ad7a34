package ticketcode_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"reflect"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/ticketcode"
)

var update = flag.Bool("update", false, "rewrite the golden files under testdata")

const vectorsPath = "testdata/vectors.json"

// readVectors returns what the file says, so that what is tested is what other languages read.
func readVectors(t testing.TB) vectorFile {
	t.Helper()
	text, err := os.ReadFile(vectorsPath)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var file vectorFile
	if err := decoder.Decode(&file); err != nil {
		t.Fatalf("%s: %v", vectorsPath, err)
	}
	return file
}

func TestVectorsFileIsCurrent(t *testing.T) {
	var want bytes.Buffer
	encoder := json.NewEncoder(&want)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(generateVectors()); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(vectorsPath, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(vectorsPath)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is not what its generator writes; if the change is meant: make golden", vectorsPath)
	}
}

func unixOrZero(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

func (t tokenVector) token() ticketcode.Token {
	return ticketcode.Token{
		KeyID: t.KeyID, Tag: ticketcode.Tag(unhex(t.Tag)), Ticket: ticketcode.TicketID(unhex(t.Ticket)), Generation: t.Generation, Class: t.Class,
		ValidFrom: unixOrZero(t.ValidFrom), ValidUntil: unixOrZero(t.ValidUntil),
	}
}

func (l listVector) list() ticketcode.RevocationList {
	list := ticketcode.RevocationList{Org: l.Org, Since: l.Since, Seq: l.Seq, Issued: unixOrZero(l.Issued), Revoked: []ticketcode.Revocation{}}
	for _, e := range l.Revoked {
		list.Revoked = append(list.Revoked, ticketcode.Revocation{Ticket: ticketcode.TicketID(unhex(e.Ticket)), Through: e.Through})
	}
	return list
}

func unbase64(t testing.TB, text string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// refused fails the test unless err is an Error of that reason.
func refused(t testing.TB, call string, err error, want ticketcode.Reason) {
	t.Helper()
	var failure *ticketcode.Error
	if !errors.As(err, &failure) || failure.Reason != want || !errors.Is(err, want) {
		t.Errorf("%s: got the error %v, want the reason %s", call, err, want)
	}
}

func vectorKeys(t testing.TB) *ticketcode.KeySet {
	t.Helper()
	keys, err := ticketcode.ParseKeySet(readVectors(t).KeySet)
	if err != nil {
		t.Fatalf("ParseKeySet: %v", err)
	}
	return keys
}

// signers returns the signers of the vectors by their ids.
func signers(t testing.TB) map[byte]*ticketcode.Signer {
	t.Helper()
	all := make(map[byte]*ticketcode.Signer)
	for _, v := range readVectors(t).Signers {
		s, err := ticketcode.NewSigner(v.ID, ed25519.NewKeyFromSeed(unhex(v.Seed)))
		if err != nil {
			t.Fatalf("NewSigner(%d): %v", v.ID, err)
		}
		all[v.ID] = s
	}
	return all
}

func TestVectorsOfBase45(t *testing.T) {
	for _, v := range readVectors(t).Base45 {
		got, err := ticketcode.DecodeBase45(v.Text)
		if v.Error != "" {
			refused(t, v.Name, err, ticketcode.Reason(v.Error))
			continue
		}
		if err != nil || hex.EncodeToString(got) != v.Hex {
			t.Errorf("%s: DecodeBase45(%q): got %x, %v, want %s", v.Name, v.Text, got, err, v.Hex)
		}
		if text := ticketcode.EncodeBase45(unhex(v.Hex)); text != v.Text {
			t.Errorf("%s: EncodeBase45(%s): got %q, want %q", v.Name, v.Hex, text, v.Text)
		}
	}
}

func TestVectorsOfTagsAndTicketIDs(t *testing.T) {
	for _, v := range readVectors(t).Tags {
		if got := ticketcode.EventTag(v.Org, v.Event); hex.EncodeToString(got[:]) != v.Tag {
			t.Errorf("EventTag(%q, %q): got %x, want %s", v.Org, v.Event, got, v.Tag)
		}
	}
	for _, v := range readVectors(t).TicketIDs {
		id := ticketcode.TicketID(unhex(v.Hex))
		if id.String() != v.Text {
			t.Errorf("String of %s: got %s, want %s", v.Hex, id, v.Text)
		}
		if got, err := ticketcode.ParseTicketID(v.Text); err != nil || got != id {
			t.Errorf("ParseTicketID(%q): got %x, %v, want %s", v.Text, got, err, v.Hex)
		}
	}
}

func TestVectorsOfKeySets(t *testing.T) {
	for _, v := range readVectors(t).KeySets {
		t.Run(v.Name, func(t *testing.T) {
			keys, err := ticketcode.ParseKeySet([]byte(v.JSON))
			if v.Error != "" {
				refused(t, "ParseKeySet", err, ticketcode.Reason(v.Error))
				return
			}
			if err != nil {
				t.Fatalf("ParseKeySet: %v", err)
			}
			var ids []int
			for _, k := range keys.Keys() {
				ids = append(ids, int(k.ID))
			}
			if !reflect.DeepEqual(ids, v.IDs) {
				t.Errorf("ParseKeySet: got the keys %v, want %v", ids, v.IDs)
			}
		})
	}
}

func TestVectorsOfTickets(t *testing.T) {
	keys, all := vectorKeys(t), signers(t)
	for _, v := range readVectors(t).Tickets {
		t.Run(v.Name, func(t *testing.T) {
			got, err := keys.Verify(v.Text, time.Unix(v.Now, 0))
			if v.Error != "" {
				refused(t, "Verify", err, ticketcode.Reason(v.Error))
				if got != (ticketcode.Token{}) {
					t.Errorf("Verify failed and returned a token: %+v", got)
				}
				return
			}
			want := v.Token.token()
			if err != nil || got != want {
				t.Errorf("Verify: got %+v, %v, want %+v", got, err, want)
			}
			want.KeyID = 0 // the signer's own counts
			if text, err := all[v.Token.KeyID].Sign(want); err != nil || text != v.Text {
				t.Errorf("Sign(%+v): got %q, %v, want %q", want, text, err, v.Text)
			}
		})
	}
}

func TestVectorsOfRevocations(t *testing.T) {
	keys, all := vectorKeys(t), signers(t)
	for _, v := range readVectors(t).Revocations {
		t.Run(v.Name, func(t *testing.T) {
			signed := unbase64(t, v.Base64)
			got, err := keys.VerifyRevocations(signed, time.Unix(v.Now, 0))
			if v.Error != "" {
				refused(t, "VerifyRevocations", err, ticketcode.Reason(v.Error))
				if !reflect.DeepEqual(got, ticketcode.RevocationList{}) {
					t.Errorf("VerifyRevocations failed and returned a list: %+v", got)
				}
				return
			}
			want := v.List.list()
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("VerifyRevocations: got %+v, %v, want %+v", got, err, want)
			}
			if again, err := all[signed[4]].SignRevocations(want); err != nil || !bytes.Equal(again, signed) {
				t.Errorf("SignRevocations: got %x, %v, want %x", again, err, signed)
			}
		})
	}
}

func TestVectorsOfHistories(t *testing.T) {
	keys := vectorKeys(t)
	for _, v := range readVectors(t).Histories {
		t.Run(v.Name, func(t *testing.T) {
			gate := ticketcode.NewRevocations(v.Org)
			for i, step := range v.Steps {
				err := gate.Apply(keys, unbase64(t, step.Base64), time.Unix(step.Now, 0))
				if step.Error != "" {
					refused(t, "Apply", err, ticketcode.Reason(step.Error))
				} else if err != nil {
					t.Errorf("step %d: Apply: %v", i+1, err)
				}
				if gate.Seq() != step.Seq || gate.Issued() != unixOrZero(step.Issued) {
					t.Errorf("step %d: got %d, issued %v, want %d, %v", i+1, gate.Seq(), gate.Issued(), step.Seq, unixOrZero(step.Issued))
				}
				for _, s := range step.State {
					token := ticketcode.Token{Ticket: ticketcode.TicketID(unhex(s.Ticket)), Generation: s.Generation}
					if got := gate.Revoked(token); got != s.Revoked {
						t.Errorf("step %d: Revoked(%s, generation %d): got %v, want %v", i+1, s.Ticket, s.Generation, got, s.Revoked)
					}
				}
			}
		})
	}
}

func TestVectorsOfShortCodes(t *testing.T) {
	for _, v := range readVectors(t).ShortCodes {
		got, err := ticketcode.ParseShortCode(v.Typed)
		if v.Error != "" {
			refused(t, v.Name, err, ticketcode.Reason(v.Error))
			continue
		}
		if err != nil || got != v.Code {
			t.Errorf("%s: ParseShortCode(%q): got %q, %v, want %q", v.Name, v.Typed, got, err, v.Code)
		}
	}
}

func (r rotationVector) rotation(t testing.TB) *ticketcode.Rotation {
	t.Helper()
	rotation, err := ticketcode.NewRotation(unhex(r.Seed), time.Duration(r.Period)*time.Second, ticketcode.Algorithm(r.Algorithm))
	if err != nil {
		t.Fatalf("NewRotation: %v", err)
	}
	return rotation
}

func TestVectorsOfRotatingCodes(t *testing.T) {
	keys := vectorKeys(t)
	for _, v := range readVectors(t).Rotating {
		t.Run(v.Name, func(t *testing.T) {
			rotation := v.Rotation.rotation(t)
			got, err := rotation.Verify(keys, v.Text, time.Unix(v.Now, 0))
			if v.Error != "" {
				refused(t, "Verify", err, ticketcode.Reason(v.Error))
				if got != (ticketcode.Token{}) {
					t.Errorf("Verify failed and returned a token: %+v", got)
				}
				return
			}
			want := v.Token.token()
			if err != nil || got != want {
				t.Errorf("Verify: got %+v, %v, want %+v", got, err, want)
			}
			if secret := hex.EncodeToString(rotation.Secret(want.Ticket, want.Generation)); secret != v.Secret {
				t.Errorf("Secret: got %s, want %s", secret, v.Secret)
			}
		})
	}
}

// TestVectorsHoldInABrowsersCode runs verify.mjs, which is written from the page alone, in Node.js.
func TestVectorsHoldInABrowsersCode(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("Node.js is not installed")
		}
		t.Skip("Node.js is not installed: the vectors were not checked in another language")
	}
	out, err := exec.CommandContext(t.Context(), node, "testdata/check.mjs").CombinedOutput()
	if err != nil {
		t.Errorf("node testdata/check.mjs: %v\n%s", err, out)
	}
}
