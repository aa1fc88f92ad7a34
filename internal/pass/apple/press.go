package apple

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha1" //nolint:gosec // what manifest.json has to have; the signature is over SHA-256
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/smallstep/pkcs7"

	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Press makes passes. It is safe for use by many goroutines.
type Press struct {
	identity *Identity
	service  string // webServiceURL
	words    []file
	prints   *prints
}

// NewPress makes a press. webServiceURL is where devices ask for updates, without /v1.
func NewPress(i *Identity, webServiceURL string) *Press {
	return &Press{identity: i, service: webServiceURL, words: words(), prints: newPrints()}
}

// Ready fails with certificate_expired (503) once phones would take nothing that the press signs.
func (p *Press) Ready(now time.Time) error {
	if now.Before(p.identity.Expires) {
		return nil
	}
	return problem.New(problem.Unavailable, "certificate_expired", "The server's pass type certificate ended on %s, so that phones would refuse the pass; "+
		"whoever runs the server has to renew it.", p.identity.Expires.UTC().Format(time.DateOnly))
}

// Make makes a signed .pkpass. The same face gives the same pass but for the signature's time. It fails with rotating_codes (409), and as [Press.Ready] does.
func (p *Press) Make(f pass.Face, now time.Time) ([]byte, error) {
	if err := p.Ready(now); err != nil {
		return nil, err
	}
	if f.Barcode.Rotation != nil {
		return nil, problem.New(problem.Conflict, "rotating_codes",
			"Codes of this event change as time goes by, which Apple's wallet cannot show; make a Google pass, or stop the rotation.")
	}
	files, err := p.files(f)
	if err != nil {
		return nil, err
	}
	manifest, err := manifest(files)
	if err != nil {
		return nil, err
	}
	signature, err := p.identity.sign(manifest)
	if err != nil {
		return nil, fmt.Errorf("sign the pass %s: %w", f.ID, err)
	}
	return pack(append(files, newFile("manifest.json", manifest), newFile("signature", signature)))
}

// files are what a pass is made of, but for the manifest and its signature.
func (p *Press) files(f pass.Face) ([]file, error) {
	text, err := json.Marshal(p.document(f))
	if err != nil {
		return nil, fmt.Errorf("write pass.json of %s: %w", f.ID, err)
	}
	pictures, err := p.prints.of(f)
	if err != nil {
		return nil, fmt.Errorf("pictures of the pass %s: %w", f.ID, err)
	}
	return append(append([]file{newFile("pass.json", text)}, pictures...), p.words...), nil
}

// file is one of a pass.
type file struct {
	name   string
	body   []byte
	sum    string // SHA-1
	packed []byte // as it is in the zip; the body itself where that is not worth while
}

// newFile makes a file that is stored as it is: a picture, which is compressed already, or a text that serves one pass only.
func newFile(name string, body []byte) file {
	sum := sha1.Sum(body) //nolint:gosec // see the import
	return file{name: name, body: body, sum: hex.EncodeToString(sum[:]), packed: body}
}

// newPacked makes a file that is in many passes, and so is compressed once for all of them.
func newPacked(name string, body []byte) file {
	f := newFile(name, body)
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression) // it fails for levels that there are not
	_, _ = w.Write(body)                               // a buffer takes all
	_ = w.Close()
	f.packed = b.Bytes()
	return f
}

// manifest is manifest.json: the SHA-1 of each file.
func manifest(files []file) ([]byte, error) {
	sums := make(map[string]string, len(files))
	for _, f := range files {
		sums[f.name] = f.sum
	}
	return json.Marshal(sums)
}

// sign makes a detached signature (RFC 5652 §5) with the time and the certificates up to the root, which phones have.
func (i *Identity) sign(content []byte) ([]byte, error) {
	s, err := pkcs7.NewSignedData(content)
	if err != nil {
		return nil, err
	}
	s.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
	if err := s.AddSignerChain(i.leaf, i.key, i.above, pkcs7.SignerInfoConfig{}); err != nil {
		return nil, err
	}
	s.Detach()
	return s.Finish()
}

// pack puts files into a zip. They all bear the first time that a zip can have, so that the same files make the same zip; and their sizes go before them, without
// which some readers take no file that is not compressed.
func pack(files []file) ([]byte, error) {
	var b bytes.Buffer
	size := 0
	for _, f := range files {
		size += len(f.packed) + 2*len(f.name) + 128 // it is named at its place and in the directory at the end
	}
	b.Grow(size)
	z := zip.NewWriter(&b)
	for _, f := range files {
		h := &zip.FileHeader{
			Name: f.name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(f.body), UncompressedSize64: uint64(len(f.body)), CompressedSize64: uint64(len(f.packed)),
			ModifiedDate: 1<<5 | 1, //nolint:staticcheck // CreateRaw does not write Modified
		}
		if len(f.packed) < len(f.body) {
			h.Method = zip.Deflate
		}
		w, err := z.CreateRaw(h)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", f.name, err)
		}
		if _, err := w.Write(f.packed); err != nil {
			return nil, fmt.Errorf("write %s: %w", f.name, err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("write the zip: %w", err)
	}
	return b.Bytes(), nil
}
