package ticketcode

import _ "embed"

//go:embed verify.mjs
var javascript []byte

// JavaScript returns verify.mjs, the verifier of this package for browsers and Node.js: an ECMAScript module that needs nothing but Web Crypto.
func JavaScript() []byte { return append([]byte(nil), javascript...) }
