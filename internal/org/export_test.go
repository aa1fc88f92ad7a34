package org

// OldPassword is a password as it was hashed when hashes cost less.
func OldPassword(plain string) Password {
	return Password{newDigest(plain, cost{memory: 64, time: 1, lanes: 1}).String()}
}

// Stored is how a password is stored.
func (w Password) Stored() string { return w.phc }

// ReadHash reads a hash as it is stored, and returns what would be stored for it.
func ReadHash(phc string) (string, error) {
	d, err := parseDigest(phc)
	return d.String(), err
}

// Leaked is the list of common passwords.
func Leaked() []string { return leaked() }

// Watch has f run whenever a password is about to be hashed. Only one is hashed at a time then.
func (p *People) Watch(f func()) {
	p.hashing = make(chan struct{})
	go func() {
		for range p.hashing {
			f()
			p.hashing <- struct{}{}
		}
	}()
}

// Busy takes all places in which passwords are hashed.
func (p *People) Busy() {
	for range cap(p.hashing) {
		p.hashing <- struct{}{}
	}
}
