package main

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/app"
)

// appleFlags are about the certificate for Apple's passes, which doctor looks at too.
type appleFlags struct {
	ApplePassCert         string `help:"Pass type certificate with its key, as PKCS#12 or PEM, by which phones take passes." placeholder:"FILE" setting:""`
	ApplePassCertPassword string `name:"apple-pass-cert-password-file" help:"The certificate's password." placeholder:"FILE" setting:""`
	AppleWWDR             string `name:"apple-wwdr" help:"Apple's intermediate certificate (WWDR), in PEM, where it is not with the other." placeholder:"FILE" setting:""`
}

func (c *appleFlags) wallets() app.Wallets {
	return app.Wallets{AppleCert: c.ApplePassCert, AppleCertPassword: c.ApplePassCertPassword, AppleWWDR: c.AppleWWDR}
}

// walletFlags say how passes come into wallets.
type walletFlags struct {
	appleFlags
	APNs   string `name:"apns" help:"Push service to tell Apple's devices by; Apple's own where there is a certificate." placeholder:"URL" setting:""`
	APNsCA string `name:"apns-ca" help:"Authorities that vouch for it, in PEM, if the system's do not." placeholder:"FILE" setting:""`

	GoogleServiceAccount string        `help:"Service account that may write passes into Google's wallet, in JSON." placeholder:"FILE" setting:""`
	GoogleIssuer         string        `help:"Issuer id at Google's wallet." placeholder:"ID" setting:""`
	GoogleWalletAPI      string        `name:"google-wallet-api" help:"Google's wallet API, if not at Google." placeholder:"URL" setting:""`
	GoogleSaveURL        string        `name:"google-save-url" help:"Page that saves a pass, if not Google's." placeholder:"URL" setting:""`
	GoogleCallbackKeys   string        `help:"Keys that Google's callbacks are signed under, if not Google's." placeholder:"FILE|URL" setting:""`
	EVMRPC               []chainNode   `name:"evm-rpc" help:"Node to ask who holds which assets: the chain's number, = and a URL; repeat for more." placeholder:"CHAIN=URL" setting:""`
	EVMRecheck           time.Duration `name:"evm-recheck" help:"How often owners of passes are asked for their assets again." default:"1h" placeholder:"DURATION" setting:""`
}

// check says what of it does not go together.
func (c *walletFlags) check() error {
	if c.GoogleServiceAccount != "" && c.GoogleIssuer == "" {
		return errors.New("--google-service-account needs --google-issuer: the id of the issuer whose passes it makes")
	}
	if c.GoogleIssuer != "" && strings.Trim(c.GoogleIssuer, "0123456789") != "" {
		return errors.New("--google-issuer is a number")
	}
	if c.EVMRecheck < time.Second {
		return errors.New("--evm-recheck is 1s or more")
	}
	return nil
}

func (c *walletFlags) wallets() app.Wallets {
	w := c.appleFlags.wallets()
	w.APNs, w.APNsCA = c.APNs, c.APNsCA
	w.GoogleAccount, w.GoogleIssuer, w.GoogleAPI, w.GoogleSaveURL, w.GoogleCallbackKeys = c.GoogleServiceAccount, c.GoogleIssuer, c.GoogleWalletAPI, c.GoogleSaveURL, c.GoogleCallbackKeys
	w.EVMRecheck = c.EVMRecheck
	for _, n := range c.EVMRPC {
		if w.EVMNodes == nil {
			w.EVMNodes = map[string]string{}
		}
		w.EVMNodes[n.chain] = n.url
	}
	return w
}

// chainNode is where a chain can be asked, as a flag.
type chainNode struct{ chain, url string }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (n *chainNode) UnmarshalText(text []byte) error {
	chain, at, _ := strings.Cut(string(text), "=")
	u, err := url.Parse(at)
	if chain == "" || strings.Trim(chain, "0123456789") != "" || err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("this is not a node; write it as 1=https://node.example.com") // which is not shown, because many have a key in them
	}
	n.chain, n.url = chain, at
	return nil
}
