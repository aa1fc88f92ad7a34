// Package node asks the nodes of EVM chains, by JSON-RPC, who owns what: [Nodes.Holds] (ERC-721 ownerOf) and [Nodes.Signed] (ERC-1271 isValidSignature). Nodes are
// named by the operator; where there is none for a chain, nothing is asked and nothing is known.
//
// A node is believed once it has said which chain it is of (eth_chainId), and is asked that again after it failed: behind the same URL there may be another by
// then. One of another chain knows nothing of ours, and is an internal error.
//
// A contract that refuses the question (it reverts) has answered: no. Where there is no contract, or its answer is not what the standard says, that is a problem of
// the caller's, who named it; but a wallet that is no contract has signed nothing. A node that cannot be asked, or does not speak JSON-RPC, is an internal error. A
// node's URL often has a key in it, so errors name its host only, and nothing that the node said but its chain's number.
package node

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/evm"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

const (
	answerWithin  = 5 * time.Second
	mostAtOnce    = 32 // connections to a node
	largestAnswer = 64 << 10
	longestProof  = 16 << 10 // of a contract wallet; some are lists of signatures
)

// The functions that are called, each the beginning of the hash of its name and types.
var (
	ownerOf          = []byte{0x63, 0x52, 0x21, 0x1e} // ownerOf(uint256)
	isValidSignature = []byte{0x16, 0x26, 0xba, 0x7e} // isValidSignature(bytes32,bytes); it is also what the function answers for yes
)

// Nodes are where chains can be asked. It is safe for use by many goroutines.
type Nodes struct {
	places    map[string]*place // by the chain's number
	transport *http.Transport
}

// place is where a chain can be asked.
type place struct {
	chain string
	url   *url.URL
	known atomic.Bool // it has said that it is of the chain, and has not failed since
}

// New makes the nodes from URLs by the chains' numbers in decimal, which operators give as --evm-rpc 1=https://….
func New(urls map[string]string) (*Nodes, error) {
	n := &Nodes{places: map[string]*place{}, transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, DisableCompression: true, TLSHandshakeTimeout: answerWithin,
		IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: mostAtOnce, MaxConnsPerHost: mostAtOnce, MaxResponseHeaderBytes: largestAnswer,
	}}
	for _, chain := range slices.Sorted(maps.Keys(urls)) {
		if !isChain(chain) {
			return nil, problem.New(problem.Invalid, "invalid_chain", "%q is not the number of a chain in decimal, such as 1.", chain)
		}
		u, err := url.Parse(urls[chain])
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Fragment != "" {
			return nil, problem.New(problem.Invalid, "invalid_url", "The node of chain %s is not named by an absolute http or https URL, such as https://node.example.com.", chain)
		}
		n.places[chain] = &place{chain: chain, url: u}
	}
	return n, nil
}

func isChain(s string) bool {
	return s != "" && len(s) <= 20 && s[0] != '0' && isDecimal(s)
}

func isDecimal(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// Close closes the connections that are kept open between questions.
func (n *Nodes) Close() { n.transport.CloseIdleConnections() }

// Holds tells whether an address owns a token of an ERC-721 contract. known is false where there is no node for the chain. It fails with no_contract (400) and
// contract_invalid (400) where the address is of no such contract.
func (n *Nodes) Holds(ctx context.Context, network string, owner, contract evm.Address, tokenID string) (holds, known bool, err error) {
	at := n.places[network]
	if at == nil {
		return false, false, nil
	}
	token, err := number(tokenID)
	if err != nil {
		return false, false, err
	}
	result, err := n.call(ctx, at, contract, slices.Concat(ownerOf, token))
	switch {
	case errors.Is(err, errReverted):
		return false, true, nil
	case err != nil:
		return false, false, err
	case len(result) == 0:
		return false, false, problem.New(problem.Invalid, "no_contract", "There is no contract at %s on chain %s.", contract, network)
	}
	has, ok := address(result)
	if !ok {
		return false, false, problem.New(problem.Invalid, "contract_invalid", "The contract %s of chain %s does not answer ownerOf as ERC-721 says.", contract, network)
	}
	return has == owner && has != evm.Address{}, true, nil
}

// number is a token's number as contracts take it.
func number(decimal string) ([]byte, error) {
	const digits = 78 // of 2^256 - 1
	n, ok := new(big.Int), decimal != "" && len(decimal) <= digits && isDecimal(decimal)
	if ok {
		n.SetString(decimal, 10)
	}
	if !ok || n.BitLen() > 256 {
		return nil, problem.New(problem.Invalid, "token_id_invalid", "A token's id is a number in decimal, 0 to 2^256 - 1.")
	}
	return n.FillBytes(make([]byte, 32)), nil
}

// address reads a word with an address in it, which has nothing before it.
func address(word []byte) (a evm.Address, ok bool) {
	if len(word) != 32 || !empty(word[:12]) {
		return evm.Address{}, false
	}
	return evm.Address(word[12:]), true
}

// Signed tells whether a contract wallet says that it has signed a message (ERC-1271, over the hash of EIP-191). known is false where there is no node for the chain.
func (n *Nodes) Signed(ctx context.Context, network string, owner evm.Address, message string, signature []byte) (ok, known bool, err error) {
	at := n.places[network]
	if at == nil {
		return false, false, nil
	}
	if len(signature) > longestProof {
		return false, false, problem.New(problem.Invalid, "signature_invalid", "The signature has more than %d bytes.", longestProof)
	}
	result, err := n.call(ctx, at, owner, validity(message, signature))
	switch {
	case errors.Is(err, errReverted), err == nil && len(result) == 0:
		return false, true, nil
	case err != nil:
		return false, false, err
	case len(result) != 32:
		return false, false, problem.New(problem.Invalid, "contract_invalid", "The contract %s of chain %s does not answer isValidSignature as ERC-1271 says.", owner, network)
	}
	return bytes.Equal(result[:4], isValidSignature) && empty(result[4:]), true, nil
}

// validity is the call of isValidSignature: the hash, where the signature begins, how long it is, and the signature up to a whole word.
func validity(message string, signature []byte) []byte {
	hash := evm.Hash(message)
	padding := make([]byte, -len(signature)&31)
	return slices.Concat(isValidSignature, hash[:], word(64), word(uint64(len(signature))), signature, padding)
}

func word(n uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 24), n) }

func empty(b []byte) bool { return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 }) }

// call calls a function of a contract, as the chain is now. The result is empty where there is no contract; it fails with errReverted when the contract refuses.
func (n *Nodes) call(ctx context.Context, at *place, contract evm.Address, data []byte) ([]byte, error) {
	if err := n.recognise(ctx, at); err != nil {
		return nil, fmt.Errorf("the node %s %w", at.url.Host, err)
	}
	text, err := n.ask(ctx, at.url, "eth_call", map[string]string{"to": contract.String(), "data": hexed(data)}, "latest")
	if err == nil {
		var result []byte
		if result, err = decode(text); err == nil || errors.Is(err, errReverted) {
			return result, err
		}
	}
	at.known.Store(false)
	return nil, fmt.Errorf("the node %s %w", at.url.Host, err)
}

// recognise asks a node which chain it is of, unless it has said so.
func (n *Nodes) recognise(ctx context.Context, at *place) error {
	if at.known.Load() {
		return nil
	}
	text, err := n.ask(ctx, at.url, "eth_chainId")
	if err != nil {
		return err
	}
	chain, err := decodeChain(text)
	if err != nil {
		return err
	}
	if chain != at.chain {
		return fmt.Errorf("is one of chain %.20s and not of chain %s, for which it was named", chain, at.chain)
	}
	at.known.Store(true)
	return nil
}
