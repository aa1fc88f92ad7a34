package node_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stagedoorhq/stagedoor/internal/evm"
	"github.com/stagedoorhq/stagedoor/internal/evm/node"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

var (
	owner    = parse("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
	other    = parse("0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359")
	contract = parse("0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB")
)

const apiKey = "a-key-in-the-url"

// call is what a node is asked.
type call struct {
	Version string `json:"jsonrpc"`
	Method  string `json:"method"`
	To      string `json:"to"`
	Data    string `json:"data"`
	Block   string `json:"block"`
}

// chain is a node of chain 1, which says so, and answers each call as told.
func chain(t *testing.T, answer func(w http.ResponseWriter, c call)) *node.Nodes {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := read(r)
		if err != nil {
			t.Errorf("the node was asked %s %s: %v", r.Method, r.URL, err)
		}
		if c.Method == "eth_chainId" {
			fmt.Fprint(w, result("0x1"))
			return
		}
		answer(w, c)
	}))
	t.Cleanup(server.Close)
	return nodes(t, server.URL)
}

func nodes(t *testing.T, url string) *node.Nodes {
	t.Helper()
	n, err := node.New(map[string]string{"1": url + "/v3/" + apiKey})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

func read(r *http.Request) (c call, err error) {
	var asked struct {
		call
		ID     *int              `json:"id"`
		Params []json.RawMessage `json:"params"`
	}
	text, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(text, &asked)
	}
	if params := map[string]int{"eth_call": 2, "eth_chainId": 0}; err != nil || asked.ID == nil || asked.Params == nil || len(asked.Params) != params[asked.Method] || r.Method != http.MethodPost || r.URL.Path != "/v3/"+apiKey || r.Header.Get("Content-Type") != "application/json" {
		return c, errors.Join(err, fmt.Errorf("it is no call: %s", text))
	}
	c = asked.call
	if len(asked.Params) == 0 {
		return c, nil
	}
	return c, errors.Join(json.Unmarshal(asked.Params[0], &c), json.Unmarshal(asked.Params[1], &c.Block))
}

// says is a node that gives one answer to everything.
func says(t *testing.T, body string) *node.Nodes {
	t.Helper()
	return chain(t, func(w http.ResponseWriter, _ call) { fmt.Fprint(w, body) })
}

func result(data string) string { return `{"jsonrpc":"2.0","id":1,"result":"` + data + `"}` }

func refusal(code int, message string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"error":{"code":%d,"message":%q,"data":"0x08c379a0"}}`, code, message)
}

func wordOf(a evm.Address) string { return "0x" + strings.Repeat("0", 24) + hex.EncodeToString(a[:]) }

const yes = "0x1626ba7e00000000000000000000000000000000000000000000000000000000"

func TestWhoHoldsAToken(t *testing.T) {
	var asked call
	n := chain(t, func(w http.ResponseWriter, c call) {
		asked = c
		fmt.Fprint(w, result(wordOf(owner)))
	})
	for _, c := range []struct {
		who  evm.Address
		want bool
	}{{owner, true}, {other, false}} {
		holds, known, err := n.Holds(t.Context(), "1", c.who, contract, "42")
		if holds != c.want || !known || err != nil {
			t.Errorf("%s holds token 42: %v, %v, %v; want %v, true", c.who, holds, known, err, c.want)
		}
		want := call{"2.0", "eth_call", contract.String(), "0x6352211e" + strings.Repeat("0", 62) + "2a", "latest"}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("the node was asked something else (-want +got):\n%s", diff)
		}
	}
}

func TestTokensAreNumbered(t *testing.T) {
	const largest = "115792089237316195423570985008687907853269984665640564039457584007913129639935"
	var data string
	n := chain(t, func(w http.ResponseWriter, c call) {
		data = c.Data
		fmt.Fprint(w, result(wordOf(owner)))
	})
	for decimal, want := range map[string]string{"0": strings.Repeat("0", 64), "007": strings.Repeat("0", 63) + "7", largest: strings.Repeat("f", 64)} {
		if holds, _, err := n.Holds(t.Context(), "1", owner, contract, decimal); !holds || err != nil || data != "0x6352211e"+want {
			t.Errorf("token %s is asked for as %s (%v, %v), want %s", decimal, data, holds, err, want)
		}
	}
	data = ""
	for _, wrong := range []string{"", "-1", "+1", "0x2a", "1.0", "1e3", "1_000", " 1", "٣", largest[:77] + "6", "9" + largest, strings.Repeat("0", 79)} {
		if holds, known, err := n.Holds(t.Context(), "1", owner, contract, wrong); holds || known || !problem.Is(err, "token_id_invalid") || data != "" {
			t.Errorf("token %q: %v, %v, %v and the node was asked %q; want token_id_invalid", wrong, holds, known, err, data)
		}
	}
}

func TestContractWalletSigns(t *testing.T) {
	for name, size := range map[string]int{"none": 0, "short": 5, "one word": 32, "usual": 65, "several": 195} {
		t.Run(name, func(t *testing.T) {
			signature := strings.Repeat("ab", size)
			var asked call
			n := chain(t, func(w http.ResponseWriter, c call) {
				asked = c
				fmt.Fprint(w, result(yes))
			})
			raw, _ := hex.DecodeString(signature)
			ok, known, err := n.Signed(t.Context(), "1", owner, "Some data", raw)
			if !ok || !known || err != nil {
				t.Errorf("Signed: %v, %v, %v; want true, true", ok, known, err)
			}
			padded := signature + strings.Repeat("0", (64-len(signature)%64)%64)
			want := call{"2.0", "eth_call", owner.String(), "0x1626ba7e" +
				"1da44b586eb0729ff70a73c326926f6ed5a25f5b056e7f47fbc6e58d86871655" + // the hash, which web3.js documents
				fmt.Sprintf("%064x%064x", 64, size) + padded, "latest"}
			if diff := cmp.Diff(want, asked); diff != "" {
				t.Errorf("the node was asked something else (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnythingButTheMagicValueIsNoSignature(t *testing.T) {
	for _, data := range []string{
		"0xffffffff" + yes[10:], "0x" + strings.Repeat("0", 64), yes[:65] + "1", "0x" + strings.Repeat("0", 56) + "1626ba7e", "0x",
	} {
		if ok, known, err := says(t, result(data)).Signed(t.Context(), "1", owner, "Some data", nil); ok || !known || err != nil {
			t.Errorf("Signed, answered %s: %v, %v, %v; want false, true", data, ok, known, err)
		}
	}
}

// A token that was never made, or is burnt, has no owner.
func TestARefusalIsANo(t *testing.T) {
	for name, answer := range map[string]string{
		"code 3":          refusal(3, "execution reverted: ERC721: invalid token ID"),
		"no reason":       refusal(-32000, "execution reverted"),
		"capitals":        refusal(-32000, "Execution reverted"),
		"only the number": refusal(3, ""),
	} {
		t.Run(name, func(t *testing.T) {
			n := says(t, answer)
			if holds, known, err := n.Holds(t.Context(), "1", owner, contract, "42"); holds || !known || err != nil {
				t.Errorf("Holds: %v, %v, %v; want false, true", holds, known, err)
			}
			if ok, known, err := n.Signed(t.Context(), "1", owner, "Some data", nil); ok || !known || err != nil {
				t.Errorf("Signed: %v, %v, %v; want false, true", ok, known, err)
			}
		})
	}
	if holds, known, err := says(t, result(wordOf(evm.Address{}))).Holds(t.Context(), "1", evm.Address{}, contract, "42"); holds || !known || err != nil {
		t.Errorf("nobody holds a token that nobody holds: %v, %v, %v; want false, true", holds, known, err)
	}
}

func TestAContractThatAnswersSomethingElse(t *testing.T) {
	word := wordOf(owner)
	for _, data := range []string{word[:64], word + "00", word + word[2:], "0x1" + word[3:], word[:24] + "1" + word[25:]} {
		holds, known, err := says(t, result(data)).Holds(t.Context(), "1", owner, contract, "42")
		if holds || known || !problem.Is(err, "contract_invalid") {
			t.Errorf("Holds, answered %s: %v, %v, %v; want contract_invalid", data, holds, known, err)
		}
	}
	for _, data := range []string{yes[:64], yes + "00", yes[:10]} {
		ok, known, err := says(t, result(data)).Signed(t.Context(), "1", owner, "Some data", nil)
		if ok || known || !problem.Is(err, "contract_invalid") {
			t.Errorf("Signed, answered %s: %v, %v, %v; want contract_invalid", data, ok, known, err)
		}
	}
}

// Where there is no contract, nothing is known of its tokens: whoever names it, or the node, is mistaken. A wallet that is no contract has signed nothing in this way.
func TestWhereThereIsNoContract(t *testing.T) {
	n := says(t, result("0x"))
	holds, known, err := n.Holds(t.Context(), "1", owner, contract, "42")
	if holds || known || !problem.Is(err, "no_contract") || !strings.Contains(problem.As(err).Detail, "There is no contract at "+contract.String()) {
		t.Errorf("Holds: %v, %v, %v; want no_contract", holds, known, err)
	}
	if ok, known, err := n.Signed(t.Context(), "1", owner, "Some data", nil); ok || !known || err != nil {
		t.Errorf("Signed: %v, %v, %v; want false, true", ok, known, err)
	}
}

// A node says which chain it is of before it is believed, once, and again after it has failed.
func TestANodeIsOfItsChain(t *testing.T) {
	var asked []string
	chainID, answer := "0x89", result(wordOf(owner))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := read(r)
		if err != nil {
			t.Error(err)
		}
		if asked = append(asked, c.Method); c.Method == "eth_chainId" {
			fmt.Fprint(w, result(chainID))
			return
		}
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(server.Close)
	n := nodes(t, server.URL)
	for range 2 {
		holds, known, err := n.Holds(t.Context(), "1", owner, contract, "42")
		if holds || known || err == nil || problem.As(err) != nil || !strings.Contains(err.Error(), "is one of chain 137 and not of chain 1") || strings.Contains(err.Error(), apiKey) {
			t.Errorf("a node of another chain: %v, %v, %v", holds, known, err)
		}
	}
	for _, odd := range []string{"", "0x", "1", "0xg", "0x-1", "0x" + strings.Repeat("f", 65)} {
		chainID = odd
		if _, known, err := n.Holds(t.Context(), "1", owner, contract, "42"); known || err == nil || problem.As(err) != nil {
			t.Errorf("a node of the chain %q: %v, %v", odd, known, err)
		}
	}
	chainID, asked = "0x1", nil
	holds := func(want bool) {
		t.Helper()
		if holds, known, err := n.Holds(t.Context(), "1", owner, contract, "42"); holds != want || known != want || (err == nil) != want {
			t.Errorf("Holds: %v, %v, %v; want %v", holds, known, err, want)
		}
	}
	holds(true)
	holds(true)
	answer = refusal(-32005, "over its limit")
	holds(false)
	answer = result(wordOf(owner))
	holds(true)
	chainID = "0x89"
	holds(true) // it has not failed since
	want := []string{"eth_chainId", "eth_call", "eth_call", "eth_call", "eth_chainId", "eth_call", "eth_call"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("the node was asked (-want +got):\n%s", diff)
	}
}

func TestNothingIsKnownOfOtherChains(t *testing.T) {
	n := chain(t, func(http.ResponseWriter, call) { t.Error("the node of another chain was asked") })
	none, err := node.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []*node.Nodes{n, none} {
		for _, network := range []string{"137", "", "01"} {
			if holds, known, err := n.Holds(t.Context(), network, owner, contract, "42"); holds || known || err != nil {
				t.Errorf("Holds on chain %q: %v, %v, %v; want false, false", network, holds, known, err)
			}
			if ok, known, err := n.Signed(t.Context(), network, owner, "Some data", nil); ok || known || err != nil {
				t.Errorf("Signed on chain %q: %v, %v, %v; want false, false", network, ok, known, err)
			}
		}
	}
}

// Trouble with a node is no answer, and what is said of it has the node's host and nothing else that is the operator's or the node's.
func TestTroubleWithANode(t *testing.T) {
	repeat := "the key " + apiKey + " is over its limit"
	for name, answer := range map[string]func(w http.ResponseWriter, _ call){
		"an error": func(w http.ResponseWriter, _ call) { fmt.Fprint(w, refusal(-32005, repeat)) },
		"a strange error": func(w http.ResponseWriter, _ call) {
			fmt.Fprintf(w, `{"error":{"code":%q,"message":%q}}`, repeat, repeat)
		},
		"no JSON":          func(w http.ResponseWriter, _ call) { fmt.Fprint(w, repeat) },
		"nothing":          func(http.ResponseWriter, call) {},
		"no result":        func(w http.ResponseWriter, _ call) { fmt.Fprint(w, `{"jsonrpc":"2.0","id":1,"result":null}`) },
		"an object":        func(w http.ResponseWriter, _ call) { fmt.Fprintf(w, `{"result":{"a":%q}}`, repeat) },
		"a list":           func(w http.ResponseWriter, _ call) { fmt.Fprintf(w, "[%s]", result(wordOf(owner))) },
		"no hexadecimal":   func(w http.ResponseWriter, _ call) { fmt.Fprint(w, result("0x"+apiKey)) },
		"half a byte":      func(w http.ResponseWriter, _ call) { fmt.Fprint(w, result("0x123")) },
		"no prefix":        func(w http.ResponseWriter, _ call) { fmt.Fprint(w, result(wordOf(owner)[2:])) },
		"two answers":      func(w http.ResponseWriter, _ call) { fmt.Fprint(w, result(wordOf(owner))+result(wordOf(owner))) },
		"too much":         func(w http.ResponseWriter, _ call) { fmt.Fprint(w, result("0x"+strings.Repeat("00", 64<<10))) },
		"too many headers": func(w http.ResponseWriter, _ call) { w.Header().Set("X-Long", strings.Repeat("x", 80<<10)) },
		"refused": func(w http.ResponseWriter, _ call) {
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprint(w, result(wordOf(owner)))
		},
		"another place": func(w http.ResponseWriter, _ call) {
			w.Header().Set("Location", "http://%zz/"+apiKey)
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"breaks off": func(w http.ResponseWriter, _ call) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, result(wordOf(owner)))
		},
		"hangs up": func(http.ResponseWriter, call) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			n := chain(t, answer)
			holds, known, err := n.Holds(t.Context(), "1", owner, contract, "42")
			if holds || known || err == nil || problem.As(err) != nil {
				t.Errorf("Holds: %v, %v, %v; want an internal error", holds, known, err)
			}
			ok, known, err2 := n.Signed(t.Context(), "1", owner, "Some data", nil)
			if ok || known || err2 == nil || problem.As(err2) != nil {
				t.Errorf("Signed: %v, %v, %v; want an internal error", ok, known, err2)
			}
			if text := fmt.Sprint(err, err2); strings.Contains(text, apiKey) || !strings.Contains(text, "127.0.0.1:") {
				t.Errorf("the errors are %s; they name the host, and not what else is in the URL or was answered", text)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	t.Cleanup(elsewhere.Close)
	n := chain(t, func(w http.ResponseWriter, _ call) {
		w.Header().Set("Location", elsewhere.URL)
		w.WriteHeader(http.StatusPermanentRedirect)
	})
	if _, known, err := n.Holds(t.Context(), "1", owner, contract, "42"); known || err == nil || !strings.Contains(err.Error(), "308") {
		t.Errorf("Holds: %v, %v; want an error with the status", known, err)
	}
}

func TestANodeThatIsNotThere(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	_, known, err := nodes(t, server.URL).Holds(t.Context(), "1", owner, contract, "42")
	if known || err == nil || strings.Contains(err.Error(), apiKey) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("Holds: %v, %v; want an error that says that the connection was refused", known, err)
	}
}

func TestASlowNodeIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	n, _ := slow(t)
	began := time.Now()
	_, known, err := n.Holds(t.Context(), "1", owner, contract, "42")
	if known || !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), apiKey) {
		t.Errorf("Holds: %v, %v; want %v", known, err, context.DeadlineExceeded)
	}
	if took := time.Since(began); took < 4*time.Second || took > time.Minute {
		t.Errorf("Holds ended after %s, want 5 s", took)
	}
}

func TestAskingEndsWithItsContext(t *testing.T) {
	n, asked := slow(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	_, known, err := n.Holds(ctx, "1", owner, contract, "42")
	if known || !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), apiKey) {
		t.Errorf("Holds: %v, %v; want %v", known, err, context.Canceled)
	}
}

// slow is a node that never answers, and tells when it is asked.
func slow(t *testing.T) (n *node.Nodes, asked <-chan struct{}) {
	t.Helper()
	told := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		close(told)
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	return nodes(t, server.URL), told
}

func TestNodesAreAskedWithTheNameInTheirURL(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, password, _ := r.BasicAuth(); name != "desk" || password != "pa ss" {
			t.Errorf("the node was asked by %q, %q", name, password)
		}
		if c, _ := io.ReadAll(r.Body); strings.Contains(string(c), "eth_chainId") {
			fmt.Fprint(w, result("0x1"))
			return
		}
		fmt.Fprint(w, result(wordOf(owner)))
	}))
	t.Cleanup(server.Close)
	n, err := node.New(map[string]string{"1": strings.Replace(server.URL, "://", "://desk:pa%20ss@", 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	if holds, known, err := n.Holds(t.Context(), "1", owner, contract, "42"); !holds || !known || err != nil {
		t.Errorf("Holds: %v, %v, %v; want true, true", holds, known, err)
	}
}

func TestWhatIsNoNode(t *testing.T) {
	for _, c := range []struct{ chain, url, want string }{
		{"", "https://node.example.com/", "invalid_chain"},
		{"0", "https://node.example.com/", "invalid_chain"},
		{"01", "https://node.example.com/", "invalid_chain"},
		{"0x1", "https://node.example.com/", "invalid_chain"},
		{"-1", "https://node.example.com/", "invalid_chain"},
		{"mainnet", "https://node.example.com/", "invalid_chain"},
		{"100000000000000000000", "https://node.example.com/", "invalid_chain"},
		{"1", "", "invalid_url"},
		{"1", "node.example.com/" + apiKey, "invalid_url"},
		{"1", "wss://node.example.com/" + apiKey, "invalid_url"},
		{"1", "https:///" + apiKey, "invalid_url"},
		{"1", "https://:8545/" + apiKey, "invalid_url"},
		{"1", "https://node.example.com/" + apiKey + "#a", "invalid_url"},
		{"1", "https://node.example.com/%zz" + apiKey, "invalid_url"},
	} {
		n, err := node.New(map[string]string{"137": "http://localhost:8545", c.chain: c.url})
		if n != nil || !problem.Is(err, c.want) || strings.Contains(err.Error(), apiKey) {
			t.Errorf("New(%q: %q) = %v, %v; want %s", c.chain, c.url, n, err, c.want)
		}
	}
}

func TestALongProofIsRefused(t *testing.T) {
	n := chain(t, func(http.ResponseWriter, call) { t.Error("the node was asked") })
	if ok, known, err := n.Signed(t.Context(), "1", owner, "Some data", make([]byte, 16<<10+1)); ok || known || !problem.Is(err, "signature_invalid") {
		t.Errorf("Signed: %v, %v, %v; want signature_invalid", ok, known, err)
	}
}

func parse(s string) evm.Address {
	a, err := evm.ParseAddress(s)
	if err != nil {
		panic(err)
	}
	return a
}
