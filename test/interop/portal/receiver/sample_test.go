package receiver

import (
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

func TestSamplesAreTakenUnchangedAndWhole(t *testing.T) {
	specification := readSpecification(t)
	for sample, ends := range map[Sample][2]string{
		Verification: {"\nconst express = require('express');\n", "\napp.listen(3000, () => console.log('Webhook listener running on port 3000'));\n"},
		Replay:       {"\nconst crypto = require('crypto');\n", "\n    res.status(401).json({ error: err.message });\n  }\n});\n"},
	} {
		code := extract(t, sample)
		if !strings.Contains(specification, code) {
			t.Errorf("sample %d is not in the specification as it is", sample)
		}
		if !strings.HasPrefix(code, ends[0]) || !strings.HasSuffix(code, ends[1]) {
			t.Errorf("sample %d is not whole:\n%s", sample, code)
		}
	}
}

func TestLockFilePinsContentAndNoRegistry(t *testing.T) { harness.Pinned(t, ".", npm) }
