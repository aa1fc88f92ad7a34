package problem_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

func TestEveryKindHasItsStatus(t *testing.T) {
	want := map[problem.Kind]int{
		problem.Invalid: 400, problem.Unauthorized: 401, problem.Forbidden: 403, problem.NotFound: 404, problem.Conflict: 409, problem.Gone: 410,
		problem.Precondition: 412, problem.TooLarge: 413, problem.Unsupported: 415, problem.Mismatch: 422, problem.TooMany: 429,
		problem.Unavailable: 503, problem.MethodUnknown: 405, problem.NotAcceptable: 406, problem.RequiresLength: 411,
		problem.Insufficient: 507,
	}
	for k := problem.Kind(-1); k < 100; k++ {
		status, exists := want[k]
		if !exists {
			status = 500
		}
		if got := k.Status(); got != status {
			t.Errorf("kind %d has status %d, want %d", k, got, status)
		}
	}
}

func TestProblemIsFoundInAChain(t *testing.T) {
	p := problem.New(problem.Conflict, "not_enough_tickets", "Only %d left.", 2)
	wrapped := fmt.Errorf("order: %w", errors.Join(errors.New("noise"), p))
	if problem.As(wrapped) != p || !problem.Is(wrapped, "not_enough_tickets") || problem.Is(wrapped, "other") {
		t.Errorf("As(%v) is %v", wrapped, problem.As(wrapped))
	}
	if p.Error() != "Only 2 left." {
		t.Errorf("the detail is %q", p.Error())
	}
	for _, err := range []error{nil, errors.New("internal")} {
		if problem.As(err) != nil || problem.Is(err, "") {
			t.Errorf("As(%v) is %v, want nil", err, problem.As(err))
		}
	}
}

func TestDetailWithoutArgumentsIsNotFormatted(t *testing.T) {
	for _, p := range []*problem.Error{problem.New(problem.Invalid, "x", "100% of %s"), {Detail: problem.Field("/a", "x", "100% of %s").Fields[0].Detail}} {
		if p.Detail != "100% of %s" {
			t.Errorf("the detail is %q", p.Detail)
		}
	}
}

func TestFieldsAreCollected(t *testing.T) {
	var f problem.Fields
	if err := f.Err(); err != nil {
		t.Errorf("no field is wrong and Err is %v", err)
	}
	f.Add("/name", "required", "Give a name.")
	f.Add("/seats/0", "too_long", "At most %d characters.", 64)
	p := problem.As(f.Err())
	want := []problem.FieldError{
		{Pointer: "/name", Code: "required", Detail: "Give a name."},
		{Pointer: "/seats/0", Code: "too_long", Detail: "At most 64 characters."},
	}
	if p == nil || p.Kind != problem.Invalid || p.Code != "validation_failed" {
		t.Fatalf("Err is %v", p)
	}
	if diff := cmp.Diff(want, p.Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if want := "The request is not valid; see errors. (/name: Give a name.) (/seats/0: At most 64 characters.)"; p.Error() != want {
		t.Errorf("Error is %q, want %q", p.Error(), want)
	}
}
