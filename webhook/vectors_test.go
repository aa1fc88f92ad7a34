package webhook_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/webhook"
)

var update = flag.Bool("update", false, "rewrite the golden files under testdata")

const vectorsPath = "testdata/vectors.json"

func keysOf(list []vectorKey) []webhook.Key {
	var keys []webhook.Key
	for _, k := range list {
		key := webhook.Key{Text: k.Key}
		if k.Until != 0 {
			key.Until = time.Unix(k.Until, 0)
		}
		keys = append(keys, key)
	}
	return keys
}

func headerOf(list []vectorHeader) http.Header {
	h := make(http.Header)
	for _, entry := range list {
		h.Add(entry.Name, entry.text())
	}
	return h
}

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
		t.Errorf("%s is not what the generator makes; run go test ./webhook -run TestVectors -update", vectorsPath)
	}
}

// TestVectorsAreVerifiedAsTheySay is lines 24 and 25 of the security checklist and items 1 to 6 of the known failures.
func TestVectorsAreVerifiedAsTheySay(t *testing.T) {
	names := make(map[string]bool)
	for _, v := range readVectors(t).Vectors {
		if names[v.Name] {
			t.Errorf("two vectors are called %q", v.Name)
		}
		names[v.Name] = true
		t.Run(v.Name, func(t *testing.T) {
			verifier, err := webhook.NewVerifier(webhook.Scheme(v.Scheme), keysOf(v.Keys)...)
			if err != nil {
				t.Fatalf("NewVerifier(%s): %v", v.Scheme, err)
			}
			verifier = verifier.WithTolerance(time.Duration(v.Tolerance) * time.Second)
			body := v.Body.bytes()
			m, err := verifier.Verify(headerOf(v.Headers), body, time.Unix(v.Now, 0))

			if v.Error == "" {
				if err != nil {
					t.Fatalf("Verify: got %v, want success", err)
				}
				if !bytes.Equal(m.Body, body) {
					t.Error("Verify did not return the body that it was given")
				}
				return
			}
			var failure *webhook.Error
			if !errors.As(err, &failure) || string(failure.Reason) != v.Error || !errors.Is(err, failure.Reason) {
				t.Errorf("Verify: got %v, want %s", err, v.Error)
			}
			if !reflect.DeepEqual(m, webhook.Message{}) {
				t.Errorf("Verify failed and returned a message: %+v", m)
			}
		})
	}
}

func TestVectorsAreSignedAsTheySay(t *testing.T) {
	for _, v := range readVectors(t).Vectors {
		if v.Sign == nil {
			continue
		}
		t.Run(v.Name, func(t *testing.T) {
			signer, err := webhook.NewSigner(webhook.Scheme(v.Scheme), keysOf(v.Sign.Keys)...)
			if err != nil {
				t.Fatalf("NewSigner(%s): %v", v.Scheme, err)
			}
			m := webhook.Message{ID: v.Sign.ID, Event: v.Sign.Event, Time: time.Unix(v.Sign.Time, 0), Body: v.Body.bytes()}
			want := headerOf(v.Headers)
			for range 2 { // the second time with work areas that were used before
				got := make(http.Header)
				if err := signer.SetHeaders(got, m); err != nil {
					t.Fatalf("SetHeaders: %v", err)
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("SetHeaders: got %v, want %v", got, want)
				}
			}
		})
	}
}

func TestVectorKeysAreAcceptedAsTheySay(t *testing.T) {
	for _, v := range readVectors(t).Keys {
		t.Run(v.Name, func(t *testing.T) {
			var err error
			if v.Use == "sign" {
				_, err = webhook.NewSigner(webhook.Scheme(v.Scheme), webhook.Key{Text: v.Key})
			} else {
				_, err = webhook.NewVerifier(webhook.Scheme(v.Scheme), webhook.Key{Text: v.Key})
			}
			if accepted := err == nil; accepted != v.Accepted {
				t.Errorf("accepted: got %v (%v), want %v", accepted, err, v.Accepted)
			}
			if secret := strings.TrimPrefix(v.Key, "whsec_"); err != nil && len(secret) > 8 && strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
}

// TestVectorsHoldInAnotherLanguage runs a verifier written from the file's description alone, in Node.js.
func TestVectorsHoldInAnotherLanguage(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("Node.js is not installed")
		}
		t.Skip("Node.js is not installed: the vectors were not checked in another language")
	}
	out, err := exec.CommandContext(t.Context(), node, "testdata/verify.mjs").CombinedOutput()
	if err != nil {
		t.Errorf("node testdata/verify.mjs: %v\n%s", err, out)
	}
}
