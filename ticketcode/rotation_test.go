package ticketcode_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/ticketcode"
)

// TestPlainTOTP holds the vectors' reading to RFC 6238's own values (appendix B), so that what agrees with the vectors agrees with the RFC.
func TestPlainTOTP(t *testing.T) {
	secrets := map[string]string{"SHA1": "12345678901234567890", "SHA256": "12345678901234567890123456789012"}
	for _, c := range []struct {
		at           int64
		sha1, sha256 string
	}{
		{59, "94287082", "46119246"},
		{1111111109, "07081804", "68084774"},
		{1111111111, "14050471", "67062674"},
		{1234567890, "89005924", "91819424"},
		{2000000000, "69279037", "90698825"},
		{20000000000, "65353130", "77737706"},
	} {
		for algorithm, want := range map[string]string{"SHA1": c.sha1, "SHA256": c.sha256} {
			if got := plainTOTP(algorithm, []byte(secrets[algorithm]), c.at/30); got != want {
				t.Errorf("TOTP with %s at %d: got %s, want %s", algorithm, c.at, got, want)
			}
		}
	}
}

func TestRotatingCodesAreMadeAsTheVectorsAre(t *testing.T) {
	for _, v := range readVectors(t).Rotating {
		if v.Error != "" {
			continue
		}
		static, shown := v.Text[:ticketcode.TextLen], v.Text[ticketcode.TextLen+1:][:10]
		var at int64
		if _, err := fmt.Sscan(shown, &at); err != nil {
			t.Fatal(err)
		}
		got, err := v.Rotation.rotation(t).Text(static, time.Unix(at, 999_999_999))
		if err != nil || got != v.Text || len(got) != ticketcode.RotatingLen {
			t.Errorf("%s: Text: got %q, %v, want %q", v.Name, got, err, v.Text)
		}
	}
	rotation := aRotation().rotation(t)
	_, err := rotation.Text("SD1:", opening)
	refused(t, "Text of no code", err, ticketcode.Malformed)
	for _, at := range []time.Time{{}, time.Unix(999_999_999, 0), time.Unix(10_000_000_000, 0)} {
		_, err := rotation.Text(aToken().text(), at)
		refused(t, fmt.Sprintf("Text at %v", at), err, ticketcode.Malformed)
	}
}

func TestEveryChangedCharacterOfARotatingCodeIsRefused(t *testing.T) {
	keys, rotation := vectorKeys(t), aRotation().rotation(t)
	text, err := rotation.Text(aToken().text(), opening)
	if err != nil {
		t.Fatal(err)
	}
	for i := ticketcode.TextLen; i < len(text); i++ {
		for c := range 256 {
			changed := text[:i] + string([]byte{byte(c)}) + text[i+1:]
			got, err := rotation.Verify(keys, changed, opening)
			// Within a period all times have one password, so the last digits of the time may be others.
			lastDigits := i >= 163 && i <= 164 && err == nil
			if changed != text && err == nil && !lastDigits {
				t.Errorf("Verify(%q): accepted %+v", changed, got)
			}
		}
	}
}

func TestRotationsHaveBounds(t *testing.T) {
	for _, c := range []struct {
		name      string
		seed      int
		period    time.Duration
		algorithm ticketcode.Algorithm
	}{
		{"no seed", 0, 0, ""},
		{"a short seed", 15, 0, ""},
		{"a long seed", 65, 0, ""},
		{"a short period", 32, 14 * time.Second, ""},
		{"a long period", 32, 31 * time.Second, ""},
		{"a period with a fraction", 32, 20*time.Second + 1, ""},
		{"a negative period", 32, -30 * time.Second, ""},
		{"another algorithm", 32, 0, "SHA512"},
	} {
		if r, err := ticketcode.NewRotation(make([]byte, c.seed), c.period, c.algorithm); err == nil || r != nil {
			t.Errorf("%s: NewRotation: got %v, %v, want an error", c.name, r, err)
		}
	}
	usual, err := ticketcode.NewRotation(aSeed, 0, "")
	if err != nil {
		t.Fatalf("NewRotation: %v", err)
	}
	text, err := usual.Text(aToken().text(), opening)
	if want := aRotation().text(aToken(), now); err != nil || text != want {
		t.Errorf("Text with the defaults: got %q, %v, want %q", text, err, want)
	}
}

func TestRotationsKeepTheirSeedToThemselves(t *testing.T) {
	own := bytes.Clone(aSeed)
	r, err := ticketcode.NewRotation(own, 0, ticketcode.SHA256)
	if err != nil {
		t.Fatalf("NewRotation: %v", err)
	}
	before := r.Secret(id(1), 1)
	clear(own)
	if !bytes.Equal(r.Secret(id(1), 1), before) {
		t.Error("the caller's seed was wiped, and with it the Rotation's")
	}
	if shown := fmt.Sprintf("%v %+v %#v", r, r, r); strings.Contains(shown, fmt.Sprint(aSeed[0])+" ") || !strings.Contains(shown, "Rotation(SHA256)") {
		t.Errorf("a printed Rotation is %q, want its algorithm alone", shown)
	}
}
