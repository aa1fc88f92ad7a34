package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// errReverted is a contract's refusal: a token that does not exist has no owner, and many wallets refuse a wrong signature in this way.
var errReverted = errors.New("says that the contract refuses")

// ask calls one method of a node and returns the node's answer. It goes past http.Client, which would follow redirects, and puts the URL into its errors.
func (n *Nodes) ask(ctx context.Context, node *url.URL, method string, params ...any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": append([]any{}, params...)})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, node.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("cannot be asked: its URL is not one")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "Stagedoor")
	if password, has := node.User.Password(); has || node.User.Username() != "" {
		req.SetBasicAuth(node.User.Username(), password)
	}
	res, err := n.transport.RoundTrip(req)
	if err != nil {
		return nil, failed(ctx, "could not be reached", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answers with status %d", res.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, largestAnswer+1))
	if err != nil {
		return nil, failed(ctx, "broke off its answer", err)
	}
	if len(text) > largestAnswer {
		return nil, fmt.Errorf("answers with more than %d bytes", largestAnswer)
	}
	return text, nil
}

// failed is why there is no answer. It says addresses and what is wrong with a certificate, but nothing that the node wrote, in which its key may stand again.
func failed(ctx context.Context, what string, err error) error {
	var dial *net.OpError
	var certificate *tls.CertificateVerificationError
	switch ended := ctx.Err(); {
	case ended != nil:
		return fmt.Errorf("%s: %w", what, ended)
	case errors.As(err, &certificate):
		return fmt.Errorf("%s: %w", what, certificate)
	case errors.As(err, &dial):
		return fmt.Errorf("%s: %w", what, dial)
	}
	return errors.New(what)
}

// hexed is bytes as JSON-RPC writes them.
func hexed(b []byte) string { return "0x" + hex.EncodeToString(b) }

// decode reads the answer of a call. It fails with errReverted where the contract refuses, and with another error where the answer is none.
func decode(text []byte) ([]byte, error) {
	digits, err := outcome(text)
	if err != nil {
		return nil, err
	}
	result, err := hex.DecodeString(digits)
	if err != nil {
		return nil, errUnreadable
	}
	return result, nil
}

// decodeChain reads the answer of eth_chainId, which is a quantity: without zeros before it. It returns the number in decimal.
func decodeChain(text []byte) (string, error) {
	const most = 64 // digits of 256 bits
	digits, err := outcome(text)
	switch {
	case errors.Is(err, errReverted):
		return "", errors.New("does not say which chain it is of")
	case err != nil:
		return "", err
	}
	n, ok := new(big.Int), digits != "" && len(digits) <= most && strings.Trim(digits, "0123456789abcdefABCDEF") == ""
	if ok {
		_, ok = n.SetString(digits, 16)
	}
	if !ok {
		return "", errUnreadable
	}
	return n.String(), nil
}

var errUnreadable = errors.New("answers with a result that is not in hexadecimal")

// outcome reads an answer of JSON-RPC, whose result is digits in hexadecimal; they are without the 0x before them, and not looked at.
func outcome(text []byte) (string, error) {
	var answer struct {
		Result *string `json:"result"`
		Error  *struct {
			Code    json.Number `json:"code"`
			Message string      `json:"message"`
		} `json:"error"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return "", errors.New("does not answer as JSON-RPC 2.0 says")
	}
	if e := answer.Error; e != nil {
		// Nodes agree on neither the number nor the capitals; 3 is what most use by now (EIP-1474 leaves it open).
		if e.Code == "3" || strings.Contains(strings.ToLower(e.Message), "execution reverted") {
			return "", errReverted
		}
		return "", fmt.Errorf("answers with the error %.12s", e.Code)
	}
	if answer.Result == nil {
		return "", errors.New("answers with neither a result nor an error")
	}
	digits, prefixed := strings.CutPrefix(*answer.Result, "0x")
	if !prefixed {
		return "", errUnreadable
	}
	return digits, nil
}
