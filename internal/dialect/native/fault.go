package native

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/danielgtaylor/huma/v2/validation"
	"github.com/stagedoorhq/stagedoor/internal/form"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// setHuma sets the switches that huma has for the whole process only: how it makes errors, and that names of fields are compared exactly (else
// {"eventid": …} would pass for eventId). It is done once, before the first API is made; the functions find the API they work for in the
// request's context, so several APIs in one process do not get in each other's way.
var setHuma = sync.OnceFunc(func() {
	huma.ValidateStrictCasing = true
	huma.NewErrorWithContext = func(ctx huma.Context, _ int, message string, errs ...error) huma.StatusError {
		return fail(ctx, fault(ctx, message, errs))
	}
	huma.NewError = func(status int, message string, _ ...error) huma.StatusError { // what huma asks when it writes the document
		return &failure{status: status, body: []byte(`{}`), message: message}
	}
})

// failure is an answer to a request that failed, already rendered.
type failure struct {
	status  int
	body    []byte
	message string
}

// GetStatus is the answer's status.
func (f *failure) GetStatus() int { return f.status }

// Error is what failed.
func (f *failure) Error() string { return f.message }

// ContentType is the media type of problems.
func (f *failure) ContentType(string) string { return "application/problem+json" }

// MarshalJSON is the problem.
func (f *failure) MarshalJSON() ([]byte, error) { return f.body, nil }

// Schema is the problem's.
func (f *failure) Schema(r huma.Registry) *huma.Schema { return problemSchema(r) }

// fail renders err as the answer to the request.
func fail(ctx huma.Context, err error) *failure {
	r, w := humago.Unwrap(ctx)
	f := &failure{message: err.Error()}
	var header http.Header
	f.status, header, f.body = callOf(ctx.Context()).api.Problems.Render(r, err)
	for name, values := range header {
		w.Header()[name] = values
	}
	return f
}

// fault is what huma found wrong, or what a handler returned.
func fault(ctx huma.Context, message string, errs []error) error {
	if len(errs) == 0 { // of what can come here without details there is only one thing
		return problem.Field("", "required", "%s", sentence(message))
	}
	c := callOf(ctx.Context())
	if len(c.body) > 0 {
		if _, err := form.JSON(c.body, hidden.Replace); err != nil {
			return err // huma knows its text only
		}
	}
	var fields problem.Fields
	for _, err := range errs {
		var d *huma.ErrorDetail
		if !errors.As(err, &d) {
			return err
		}
		fields = append(fields, field(d))
	}
	fields = append(fields, c.judgement(ctx.Context(), fields)...)
	slices.SortStableFunc(fields, func(a, b problem.FieldError) int {
		return cmp.Or(cmp.Compare(a.In, b.In), cmp.Compare(a.Pointer, b.Pointer))
	})
	return fields.Err()
}

// field turns huma's detail into ours.
func field(d *huma.ErrorDetail) problem.FieldError {
	in, where, _ := strings.Cut(d.Location, ".")
	f := problem.FieldError{Pointer: where, In: in, Code: "invalid", Detail: sentence(d.Message)}
	var path []string
	if in == "body" || strings.HasPrefix(in, "body[") {
		path = names(strings.TrimPrefix(d.Location, "body"))
		f.In, f.Pointer = "", form.Pointer(path...)
	}
	for _, known := range faultCodes {
		if rest, ok := strings.CutPrefix(d.Message, known.prefix); ok {
			f.Code = known.code
			if known.prefix == missing {
				name, _, _ := strings.Cut(rest, " ")
				f.Pointer, f.Detail = form.Pointer(append(path, name)...), "This field is required."
			}
			break
		}
	}
	if f.Code == "unknown_field" && len(path) > 0 {
		f.Detail = "There is no field " + quote(path[len(path)-1]) + " here; leave it out, or correct its name."
	}
	return f
}

const missing = "expected required property "

// faultCodes are our codes for huma's messages.
var faultCodes = []struct{ prefix, code string }{
	{validation.MsgUnexpectedProperty, "unknown_field"},
	{missing, "required"},
	{"required ", "required"},
	{"expected value to match", "wrong_type"}, // one of several shapes
	{validation.MsgExpectedBoolean, "wrong_type"},
	{validation.MsgExpectedNumber + " ", "out_of_range"}, // "expected number >= …"
	{validation.MsgExpectedNumber, "wrong_type"},
	{validation.MsgExpectedInteger, "wrong_type"},
	{"expected string to ", "invalid_format"},
	{validation.MsgExpectedString, "wrong_type"},
	{"expected array length", "wrong_length"},
	{validation.MsgExpectedArray, "wrong_type"},
	{validation.MsgExpectedObject, "wrong_type"},
	{"expected value to be one of", "unknown_value"},
	{"expected length >=", "too_short"},
	{"expected length <=", "too_long"},
	{"invalid integer", "wrong_type"},
	{"invalid boolean", "wrong_type"},
}

// names takes a location such as "messages[3].data" apart.
func names(location string) []string {
	var all []string
	for part := range strings.SplitSeq(strings.ReplaceAll(location, "[", ".["), ".") {
		if part != "" {
			all = append(all, shown.Replace(strings.Trim(part, "[]")))
		}
	}
	return all
}

// hidden and shown hide from huma the characters that take a special meaning in its locations, by ones that nobody uses. (huma means to step out of
// a field by cutting its location at the last dot, which a name may have too.)
var (
	hidden = strings.NewReplacer(".", "\ue000", "[", "\ue001", "]", "\ue002")
	shown  = strings.NewReplacer("\ue000", ".", "\ue001", "[", "\ue002", "]")
)

// sentence makes a sentence of huma's lower-case phrase.
func sentence(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return ""
	}
	return string(unicode.ToUpper(r)) + s[n:] + "."
}

func quote(s string) string {
	if len(s) > 64 {
		s = strings.ToValidUTF8(s[:64], "") + "…"
	}
	return `"` + s + `"`
}
