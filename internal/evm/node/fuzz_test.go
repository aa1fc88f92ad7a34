package node_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/evm/node"
)

func FuzzDecode(f *testing.F) {
	f.Add([]byte(result(wordOf(owner))))
	f.Add([]byte(refusal(3, "execution reverted: ERC721: invalid token ID")))
	f.Add([]byte(refusal(-32005, "daily request count exceeded")))
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"result":null}`))
	f.Add([]byte(`[{"result":"0x"}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		result, err := node.Decode(text)
		switch {
		case err != nil && len(result) > 0:
			t.Errorf("decode(%q) = %x, %v", text, result, err)
		case len(result) > len(text)/2:
			t.Errorf("decode(%q) has %d bytes of %d", text, len(result), len(text))
		case err != nil && !errors.Is(err, node.ErrReverted) && strings.Contains(err.Error(), "\n"):
			t.Errorf("decode(%q): %v", text, err)
		}
	})
}

func FuzzDecodeChain(f *testing.F) {
	f.Add([]byte(result("0x1")))
	f.Add([]byte(result("0x0089")))
	f.Add([]byte(result("0x")))
	f.Add([]byte(refusal(3, "execution reverted")))
	f.Fuzz(func(t *testing.T, text []byte) {
		chain, err := node.DecodeChain(text)
		switch {
		case (err != nil) != (chain == ""), errors.Is(err, node.ErrReverted):
			t.Errorf("decodeChain(%q) = %q, %v", text, chain, err)
		case strings.Trim(chain, "0123456789") != "" || len(chain) > 78 || len(chain) > 1 && chain[0] == '0':
			t.Errorf("decodeChain(%q) = %q, which is no number", text, chain)
		}
	})
}
