package ethpass

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// creation is what a request to make a pass says, whichever of these it is:
//
//	the oldest    contractAddress, chainId, tokenId, signature, signatureMessage
//	version 0.1   chain, signature, signatureMessage, nft
//	the newest    wallet{chain, address, signature, signatureMessage, requireUniqueSignature}, nft or nfts, layout
//	ours          ticketId
//
// All of them have platform, barcode, image, externalId, pass and expiresAt. The newest may leave out platform: then the pass is Apple's.
type creation struct {
	in        pass.Input
	proof     proof
	image     string            // a URL; "" for none
	names     map[string]string // what this request calls the trade's fields
	organiser []string          // members that only the organisation may send
}

// proof is what shows that a wallet is somebody's.
type proof struct {
	signature []byte // nil for none
	message   string
	unique    bool // it counts once
	field     string
}

// maxSignature bounds a signature: those of contract wallets have any length.
const maxSignature = 4096

// maxAssets is how many assets a pass can be for.
const maxAssets = 50

// newCreation reads a body.
func newCreation(body []byte) (creation, error) {
	o, err := newObject(body)
	if err != nil {
		return creation{}, err
	}
	c := creation{names: maps.Clone(designNames), image: o.text("image")}
	c.in = pass.Input{Platform: pass.Platform(o.one("platform", string(pass.Apple), string(pass.Google))), Ticket: id.Ticket(o.text("ticketId")), ExternalID: o.text("externalId")}
	c.in.ExpiresAt = o.instant("expiresAt")
	for _, name := range []string{"externalId", "expiresAt", "barcode", "image", "pass", "layout", "wallet", "chain", "chainId", "contractAddress", "tokenId", "nft", "nfts", "signature", "policies"} {
		if o.has(name) {
			c.organiser = append(c.organiser, name)
		}
	}
	switch wallet := o.object("wallet"); {
	case wallet != nil:
		c.newest(o, wallet)
	case o.has("chain"):
		c.second(o)
	case o.has("contractAddress"), o.has("chainId"):
		c.oldest(o)
	case o.has("nft"), o.has("nfts"):
		o.fault("wallet", "required", "Say whose assets these are.")
	case c.in.Ticket == "":
		o.fault("ticketId", "required", "Say what the pass is of: a ticket, or a wallet and its assets.")
	}
	if c.in.Platform == "" && !o.has("platform") && !o.has("wallet") {
		o.fault("platform", "required", "Use apple or google.")
	} else if c.in.Platform == "" {
		c.in.Platform = pass.Apple
	}
	if all := read[[]any](o, "policies", "a list"); all != nil && len(*all) > 0 {
		o.fault("policies", "unknown", "There are no policies here; name the assets in nfts.")
	}
	c.in.Barcode = o.barcode("barcode")
	if c.in.Barcode == nil && c.in.Ticket == "" {
		c.in.Barcode = &pass.Barcode{Message: rand.Text()}
	}
	c.design(o)
	return c, o.faults.Err()
}

// design reads how the pass looks.
func (c *creation) design(o *object) {
	for _, l := range o.looks() {
		l.design(&c.in.Design)
		c.names["/design"] = l.called()
	}
}

// looks are the members that say how a pass looks, each of which is read onto the one before: as the newest requests have it, and in the shape of either wallet.
func (o *object) looks() (all []*object) {
	if layout := o.object("layout"); layout != nil {
		if universal := layout.object("universal"); universal != nil {
			all = append(all, universal)
		}
	}
	if p := o.object("pass"); p != nil {
		all = append(all, p)
	}
	return all
}

// called is what clients call the object.
func (o *object) called() string { return strings.ReplaceAll(strings.TrimPrefix(o.at, "/"), "/", ".") }

// newest reads a wallet, and its assets.
func (c *creation) newest(o, wallet *object) {
	c.names["/owner"] = "wallet.address"
	c.chain(wallet, "chain")
	c.in.Owner = wallet.address("address")
	c.proof.read(wallet)
	c.proof.unique = wallet.flag("requireUniqueSignature")
	if c.in.Owner == "" && c.proof.signature == nil && len(*o.faults) == 0 {
		wallet.fault("address", "required", "Give the wallet's address.")
	}
	c.assets(o)
}

// second reads a chain, whoever has signed, and one asset.
func (c *creation) second(o *object) {
	c.names["/owner"] = "signature"
	c.chain(o, "chain")
	c.signed(o)
	c.assets(o)
}

// oldest reads the same, all at the top.
func (c *creation) oldest(o *object) {
	c.names["/owner"], c.names["/network"] = "signature", "chainId"
	c.in.Chain, c.in.Network = evmChain, o.decimal("chainId", networkDigits)
	if c.in.Network == "" && !o.has("chainId") {
		c.in.Network = "1"
	}
	c.signed(o)
	if o.has("contractAddress") || o.has("tokenId") {
		c.in.NFTs = append(c.in.NFTs, o.asset())
		c.names["/nfts/0/contractAddress"], c.names["/nfts/0/tokenId"] = "contractAddress", "tokenId"
	}
}

// signed reads a signature that has to be there, and counts once where that is asked for.
func (c *creation) signed(o *object) {
	if !o.has("signature") {
		o.fault("signature", "required", "The owner signs signatureMessage (personal_sign).")
	}
	c.proof.read(o)
	c.proof.unique = o.flag("requireUniqueSignature")
}

// read reads a signature and what was signed.
func (p *proof) read(o *object) {
	s := o.text("signature")
	p.message, p.field = o.text("signatureMessage"), o.at+"/signature"
	if s == "" {
		return
	}
	digits, ok := strings.CutPrefix(s, "0x")
	raw, err := hex.DecodeString(digits)
	if !ok || err != nil || len(raw) == 0 || len(raw) > maxSignature {
		o.fault("signature", "invalid", "A signature is 0x and hexadecimal digits, two for each byte: 65 bytes, or what a contract wallet takes.")
		return
	}
	if p.message == "" {
		o.fault("signatureMessage", "required", "Say what was signed.")
	}
	p.signature = raw
}

// evmChain is the one name of a chain.
const evmChain = "evm"

// chain reads {name, network}.
func (c *creation) chain(o *object, name string) {
	dotted := strings.ReplaceAll(strings.TrimPrefix(o.at+"/"+name, "/"), "/", ".")
	c.names["/chain"], c.names["/network"] = dotted+".name", dotted+".network"
	in := o.object(name)
	if in == nil {
		if !o.has(name) {
			o.fault(name, "required", "Say on which chain: {\"name\":\"evm\",\"network\":1}.")
		}
		return
	}
	in.one("name", evmChain)
	if !in.has("network") {
		in.fault("network", "required", "Give the chain's number, such as 1.")
	}
	c.in.Chain, c.in.Network = evmChain, in.decimal("network", networkDigits)
}

// assets reads what the owner has to hold: nft, or nfts, or both.
func (c *creation) assets(o *object) {
	if one := o.object("nft"); one != nil {
		c.in.NFTs = append(c.in.NFTs, one.asset())
		c.names["/nfts/0"] = "nft"
	}
	for i, one := range o.objects("nfts", maxAssets) {
		c.names["/nfts/"+strconv.Itoa(len(c.in.NFTs))] = "nfts." + strconv.Itoa(i) // which is one further on where there is an nft before them
		c.in.NFTs = append(c.in.NFTs, one.asset())
	}
}

var interfaceID = regexp.MustCompile(`^0x[0-9a-f]{8}$`)

func (o *object) asset() pass.NFT {
	n := pass.NFT{Contract: o.address("contractAddress"), Interface: pass.ERC721, TokenID: o.decimal("tokenId", tokenDigits)}
	if !o.has("contractAddress") {
		o.fault("contractAddress", "required", "Give the contract's address.")
	}
	switch token, _ := new(big.Int).SetString(n.TokenID, 10); {
	case !o.has("tokenId"):
		o.fault("tokenId", "required", "Give the token's number.")
	case token != nil && token.BitLen() > 256:
		o.fault("tokenId", "out_of_range", "Give a whole number below 2^256.")
	}
	if s := strings.ToLower(o.text("contractInterface")); s != "" {
		if n.Interface = s; !interfaceID.MatchString(s) {
			o.fault("contractInterface", "invalid", "An interface is 0x and 8 hexadecimal digits, such as %s for ERC-721.", pass.ERC721)
		}
	}
	return n
}

// barcode reads what the barcode says: a message, or a URL that leads somewhere; nil when there is none.
func (o *object) barcode(name string) *pass.Barcode {
	in := o.object(name)
	if in == nil {
		return nil
	}
	b := &pass.Barcode{Message: in.text("message"), AltText: in.text("altText")}
	b.Format = pass.Format(in.one("format", string(pass.QR), string(pass.PDF417), string(pass.Aztec)))
	redirect := in.object("redirect")
	switch {
	case redirect != nil && b.Message != "":
		in.fault("redirect", "ambiguous", "Give a message or a redirect.")
	case redirect != nil:
		if b.Message = redirect.text("url"); b.Message == "" {
			redirect.fault("url", "required", "Say where the barcode leads.")
		}
	case b.Message == "" && (b.Format != "" || b.AltText != ""):
		in.fault("message", "required", "Say what the barcode says.")
	case b.Message == "":
		return nil
	}
	return b
}

// onlyOurs refuses what a person without a role may not say: they ask for a pass of a ticket, and that is all.
func (c *creation) onlyOurs() error {
	var faults problem.Fields
	for _, name := range c.organiser {
		faults.Add("/"+name, "not_yours", "Only the organisation says this.")
	}
	if c.in.Ticket == "" {
		faults.Add("/ticketId", "required", "Say of which ticket.")
	}
	return faults.Err()
}

// designNames are what requests call the trade's fields.
var designNames = map[string]string{"/design": "pass", "/ticket": "ticketId", "/barcode/redirect": "barcode.redirect.url"}
