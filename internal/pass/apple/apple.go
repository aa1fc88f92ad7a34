// Package apple makes Apple's wallet passes: a [Press] turns what a pass shows ([pass.Face]) into a signed .pkpass, and a [Pusher] tells devices that there is a
// new one.
//
// Both need an [Identity], which is a certificate that Apple gives out for a pass type identifier. Phones take passes of no other. [NewIdentity] makes one that is
// as good for everything but a phone.
//
// A .pkpass is a zip of pass.json, pictures in three sizes and the words of each language, with the SHA-1 of each file in manifest.json, and a detached signature of
// that (CMS, RFC 5652). The same face gives the same files. What stands on a pass that its design does not say is in layout.go.
package apple

// MediaType is a pass's.
const MediaType = "application/vnd.apple.pkpass"
