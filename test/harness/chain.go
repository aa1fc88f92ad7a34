package harness

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Chain plays the node of the EVM chain 1: it says who owns the tokens of ERC-721 contracts.
type Chain struct {
	URL string

	mu     sync.Mutex        // guards below
	owners map[string]string // addresses, by contract and token
}

// PlayChain starts it.
func PlayChain(t testing.TB) *Chain {
	t.Helper()
	c := &Chain{owners: map[string]string{}}
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	c.URL = s.URL
	return c
}

// Give makes an address the owner of a token.
func (c *Chain) Give(contract, token, owner string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owners[strings.ToLower(contract)+"/"+token] = strings.ToLower(strings.TrimPrefix(owner, "0x"))
}

// ownerOf is the selector of ERC-721's ownerOf(uint256).
const ownerOf = "0x6352211e"

// ServeHTTP answers eth_chainId, and eth_call of ownerOf for tokens with numbers below 256.
func (c *Chain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		ID     json.RawMessage
		Method string
		Params []json.RawMessage
	}
	var call struct{ To, Data, Input string }
	err := json.NewDecoder(r.Body).Decode(&ask)
	if err == nil && ask.Method == "eth_chainId" {
		say(w, map[string]any{"jsonrpc": "2.0", "id": ask.ID, "result": "0x1"})
		return
	}
	if err != nil || ask.Method != "eth_call" || len(ask.Params) == 0 || json.Unmarshal(ask.Params[0], &call) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	token, asked := strings.CutPrefix(call.Data+call.Input, ownerOf+strings.Repeat("0", 62))
	answer := map[string]any{"jsonrpc": "2.0", "id": ask.ID}
	c.mu.Lock()
	owner := c.owners[strings.ToLower(call.To)+"/"+token]
	c.mu.Unlock()
	if !asked || owner == "" {
		answer["error"] = map[string]any{"code": 3, "message": "execution reverted", "data": "0x"}
	} else {
		answer["result"] = "0x" + strings.Repeat("0", 24) + owner
	}
	say(w, answer)
}

func say(w http.ResponseWriter, answer map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // the client may be gone
}
