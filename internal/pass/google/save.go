package google

import (
	"context"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// comfortable is how long a token in a save link may be: Google advises 1,800 characters at most, since some browsers cut longer addresses off.
const comfortable = 1800

// claims are what a save link says (Google Wallet, "JWT").
type claims struct {
	Issuer   string         `json:"iss"`
	Audience string         `json:"aud"`
	Type     string         `json:"typ"`
	IssuedAt int64          `json:"iat"`
	Origins  []string       `json:"origins"`
	Payload  map[string]any `json:"payload"`
}

// Save makes the link by which a person saves a pass: a JWT (RS256) that holds class and object, but for a pass whose code rotates, which names an object that was
// made through the API before. A pass with many words makes a link that is longer than Google advises; most browsers take it. [Wallet.Link] makes the object
// first, and then a short link.
func (w *Wallet) Save(f pass.Face) (string, error) {
	if f.Barcode.Rotation != nil {
		return w.name(f)
	}
	return w.whole(f)
}

// Link makes the link that [Wallet.Save] makes, and what it needs: where the link only names the object, or would be long, the object is made through the API
// before. If that fails, a long link is used all the same; of a pass whose code rotates there is none then, and the error is the problem wallet_unavailable (503).
func (w *Wallet) Link(ctx context.Context, f pass.Face) (string, error) {
	whole := ""
	if f.Barcode.Rotation == nil {
		var err error
		if whole, err = w.whole(f); err != nil {
			return "", err
		}
		if len(whole)-len(w.save)-1 <= comfortable {
			return whole, nil
		}
	}
	if !w.live {
		return orName(w, f, whole)
	}
	r := w.made(ctx, f)
	switch {
	case r.Verdict == pass.Sent:
		return w.name(f)
	case whole != "":
		return whole, nil
	}
	p := problem.New(problem.Unavailable, "wallet_unavailable", "Google's wallet does not take the pass just now; open the link again later.")
	p.RetryAfter = max(r.After, 10*time.Second)
	return "", fmt.Errorf("make object for save link: %s: %w", r.Detail, p)
}

func orName(w *Wallet, f pass.Face, whole string) (string, error) {
	if whole != "" {
		return whole, nil
	}
	return w.name(f)
}

// whole is a link with class and object in it.
func (w *Wallet) whole(f pass.Face) (string, error) {
	k := kindOf(f)
	return w.link(map[string]any{k.classes: []class{w.classOf(f)}, k.objects: []object{w.objectOf(f)}})
}

// name is a link that only names the object.
func (w *Wallet) name(f pass.Face) (string, error) {
	return w.link(map[string]any{kindOf(f).objects: []object{{ID: w.objectID(f), ClassID: w.classID(f)}}})
}

func (w *Wallet) link(payload map[string]any) (string, error) {
	c, err := marshal(claims{
		Issuer: w.account.Email, Audience: "google", Type: "savetowallet", IssuedAt: w.now().Unix(), Origins: w.origins, Payload: payload,
	})
	if err != nil {
		return "", fmt.Errorf("save link: %w", err)
	}
	token, err := w.account.sign(c)
	if err != nil {
		return "", err
	}
	return w.save + "/" + token, nil
}
