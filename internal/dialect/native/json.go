package native

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/stagedoorhq/stagedoor/internal/form"
)

// unmarshal is huma's decoder: into an any for the checks of the schema, then into the route's input.
func unmarshal(body []byte, v any) error {
	if tree, ok := v.(*any); ok {
		var err error
		*tree, err = form.JSON(body, hidden.Replace)
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return errors.New("a value of the body has a form that is not understood") // its own words speak of our inside
	}
	return nil
}

// encode is how answers are written: without the escapes that only HTML needs, one line.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}
