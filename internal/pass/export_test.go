package pass

import "github.com/stagedoorhq/stagedoor/internal/problem"

// CheckDesign checks a design but for its images.
func CheckDesign(d Design) error {
	var f problem.Fields
	d.check(&f, "")
	return f.Err()
}
