package apple

// Keep changes how many bytes of pictures a press keeps.
func (p *Press) Keep(most int) { p.prints.most = most }

// Kept is how many bytes of pictures it keeps.
func (p *Press) Kept() (size int) {
	p.prints.mu.Lock()
	defer p.prints.mu.Unlock()
	for _, e := range p.prints.kept {
		for _, f := range e.files {
			size += len(f.body)
		}
	}
	return size
}
