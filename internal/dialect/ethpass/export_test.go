package ethpass

import (
	"net/url"

	"github.com/stagedoorhq/stagedoor/internal/pass"
)

// NewCreation reads the body of a request that makes a pass.
func NewCreation(body []byte) (in pass.Input, signature []byte, image string, err error) {
	c, err := newCreation(body)
	return c.in, c.proof.signature, c.image, err
}

// NewChanging reads the body of one that changes a pass, onto a design.
func NewChanging(body []byte, d *pass.Design) (c pass.Change, err error) {
	m, _, err := newChanging(body)
	if err == nil {
		m.design(d)
	}
	return m.change, err
}

// NewChallenging reads the body of one that asks for a challenge.
func NewChallenging(body []byte) error {
	_, err := newChallenging(body)
	return err
}

// NewFilter reads the query of a list.
func NewFilter(values url.Values) (pass.Filter, error) { return (&query{values: values}).filter() }

// InURL is the picture in a data: URL.
func InURL(at string) ([]byte, error) { return inURL(at) }
