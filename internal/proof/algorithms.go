package proof

import "github.com/go-jose/go-jose/v4"

// algorithms are the signatures that are taken: asymmetric, and none that is weak. A list, not a set of exceptions: "none" and HMACs are not in it.
var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.PS256, jose.RS256}

// Algorithms lists the signature algorithms that are taken (RFC 7518 §3.1, RFC 8037 §3.1), for metadata.
func Algorithms() []string {
	names := make([]string, len(algorithms))
	for i, a := range algorithms {
		names[i] = string(a)
	}
	return names
}

// maxJWT bounds a proof or assertion, in bytes: what is longer is not looked into.
const maxJWT = 8 << 10

// strong tells whether a key is public and not too short.
func strong(k *jose.JSONWebKey) bool {
	return k != nil && k.Valid() && k.IsPublic() && !weakRSA(k)
}
