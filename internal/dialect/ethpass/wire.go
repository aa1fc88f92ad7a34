package ethpass

import (
	"strconv"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/pass"
)

// passJSON is a pass as the specification prints it. All members are always there: null where there is nothing, lists empty.
type passJSON struct {
	ID               string             `json:"id"`
	BarcodeSignature string             `json:"barcodeSignature"`
	Platform         pass.Platform      `json:"platform"`
	OwnerAddress     *string            `json:"ownerAddress"`
	CreatedAt        string             `json:"createdAt"`
	ExpiredAt        *string            `json:"expiredAt"`
	ExpireAction     *pass.Action       `json:"expireAction"`
	LastScannedAt    *string            `json:"lastScannedAt"`
	Chain            *chainJSON         `json:"chain"`
	Registrations    []registrationJSON `json:"registrations"`
	NFTs             []nftJSON          `json:"nfts"`
}

// chainJSON is a chain; its number is a text here, and may be a number in requests.
type chainJSON struct {
	Name    string `json:"name"`
	Network string `json:"network"`
}

type registrationJSON struct {
	ID        string  `json:"id"`
	CreatedAt string  `json:"createdAt"`
	DeletedAt *string `json:"deletedAt"`
}

type nftJSON struct {
	ContractAddress   string `json:"contractAddress"`
	ContractInterface string `json:"contractInterface"`
	TokenID           string `json:"tokenId"`
	Valid             *bool  `json:"valid,omitempty"` // of a scan only
}

// show is the one way in which a pass is written, whether somebody asks for it or is told of it.
func show(s pass.Snapshot, h pass.Holding) passJSON {
	j := passJSON{
		ID: string(s.PassID), BarcodeSignature: s.BarcodeSignature, Platform: s.Platform, OwnerAddress: textOrNil(h.Owner), CreatedAt: fine(time.Time(s.CreatedAt)),
		Registrations: make([]registrationJSON, len(s.Registrations)), NFTs: make([]nftJSON, len(h.NFTs)),
	}
	if s.ExpiredAt != nil {
		j.ExpiredAt = textOrNil(coarse(time.Time(*s.ExpiredAt)))
	}
	if s.ExpireAction != "" {
		j.ExpireAction = &s.ExpireAction
	}
	if s.LastScannedAt != nil {
		j.LastScannedAt = textOrNil(coarse(time.Time(*s.LastScannedAt)))
	}
	if s.Chain != "" {
		j.Chain = &chainJSON{s.Chain, s.Network}
	}
	for i, r := range s.Registrations {
		j.Registrations[i] = registrationJSON{ID: string(r.ID), CreatedAt: fine(time.Time(r.CreatedAt))}
		if r.DeletedAt != nil {
			j.Registrations[i].DeletedAt = textOrNil(coarse(time.Time(*r.DeletedAt)))
		}
	}
	for i, n := range h.NFTs {
		j.NFTs[i] = nftJSON{ContractAddress: n.Contract, ContractInterface: n.Interface, TokenID: n.TokenID}
	}
	return j
}

// showPass shows a pass as it is now.
func showPass(p *pass.Pass) passJSON {
	return show(p.Snapshot(), pass.Holding{Owner: p.Owner, NFTs: p.NFTs})
}

func textOrNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// fine is an instant as the specification prints those at which something was made: with microseconds. coarse is how it prints the others.
func fine(t time.Time) string   { return t.UTC().Format("2006-01-02T15:04:05.000000-07:00") }
func coarse(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000-07:00") }

// distributionJSON says how a pass gets onto a phone.
type distributionJSON struct {
	Apple  *appleJSON  `json:"apple,omitempty"`
	Google *googleJSON `json:"google,omitempty"`
}

type appleJSON struct {
	URL    string  `json:"url"`
	Buffer *buffer `json:"buffer,omitempty"`
}

type googleJSON struct {
	URL string `json:"url"`
}

// distribution says how a pass gets onto a phone by a link. file is Apple's, if it is to be in the answer.
func distribution(p pass.Platform, url string, file []byte) distributionJSON {
	if p == pass.Google {
		return distributionJSON{Google: &googleJSON{url}}
	}
	d := distributionJSON{Apple: &appleJSON{URL: url}}
	if file != nil {
		d.Apple.Buffer = (*buffer)(&file)
	}
	return d
}

// buffer is bytes as Node.js writes a Buffer in JSON.
type buffer []byte

// MarshalJSON writes {"type":"Buffer","data":[…]}.
func (b buffer) MarshalJSON() ([]byte, error) {
	out := append(make([]byte, 0, 4*len(b)+32), `{"type":"Buffer","data":[`...)
	for i, c := range b {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendUint(out, uint64(c), 10)
	}
	return append(out, ']', '}'), nil
}
