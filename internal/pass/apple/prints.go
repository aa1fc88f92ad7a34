package apple

import (
	"crypto/sha256"
	"sync"

	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/pass/picture"
)

// format is how large Wallet shows a picture, in points, of which a phone's screen has one, two or three pixels each.
type format struct {
	width, height int
	fill          bool // or else it may be smaller
}

var formats = map[string]format{
	"icon":       {29, 29, true},
	"logo":       {160, 50, false},
	"strip":      {375, 98, true},
	"thumbnail":  {90, 90, false},
	"background": {180, 220, true}, // Wallet blurs it
}

// prints has pictures in the sizes that passes need. It keeps the last ones: after a change of an event its phones come all at once, and for the same pictures.
type prints struct {
	mu   sync.Mutex
	kept map[string]*edition // guarded by mu, like turn and size
	turn int64
	size int // of all that are kept and done
	most int // bound of size
}

type edition struct {
	once  sync.Once
	files []file
	err   error
	used  int64 // guarded by prints.mu, like size
	size  int   // 0 until it is done
}

// maxPrints bounds what is kept, in bytes. A picture in its three sizes has at most a megabyte or so.
const maxPrints = 32 << 20

func newPrints() *prints { return &prints{kept: map[string]*edition{}, most: maxPrints} }

// of returns a face's pictures, with our own where an icon or a logo is missing.
func (p *prints) of(f pass.Face) ([]file, error) {
	var out []file
	for _, kind := range pass.ImageKinds() {
		if !shown(f, kind) {
			continue
		}
		png, foreground := f.Images[kind], ""
		name := kind + " " + f.Design.Images[kind]
		switch {
		case png == nil:
			foreground = ink(f.Design)
			name = kind + " in " + foreground
		case f.Design.Images[kind] == "": // or else the design has the sum already, and pictures are large
			sum := sha256.Sum256(png)
			name += string(sum[:])
		}
		one := p.find(name)
		one.once.Do(func() { one.files, one.err = printed(kind, png, foreground) })
		p.count(name, one)
		if one.err != nil {
			return nil, one.err
		}
		out = append(out, one.files...)
	}
	return out, nil
}

// shown tells whether a pass has a kind of picture. What Apple's wallet ignores, or shows instead of something else, is left out: with a strip there is neither
// thumbnail nor background, and a generic pass has neither strip nor background.
func shown(f pass.Face, kind string) bool {
	ticket := f.Style == pass.EventTicket && f.Event != nil
	switch kind {
	case "icon", "logo":
		return true
	case "strip":
		return ticket && f.Images[kind] != nil
	case "background":
		return ticket && f.Images[kind] != nil && f.Images["strip"] == nil
	}
	return f.Images[kind] != nil && (!ticket || f.Images["strip"] == nil)
}

// find returns what is kept under a name, or a place for it.
func (p *prints) find(name string) *edition {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn++
	one := p.kept[name]
	if one == nil {
		one = &edition{}
		p.kept[name] = one
	}
	one.used = p.turn
	return one
}

// count takes note of the size of what is done now, and forgets what was not used for the longest time where there is no more room. What has failed is tried again.
func (p *prints) count(name string, one *edition) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept[name] != one || one.size > 0 {
		return
	}
	if one.err != nil {
		delete(p.kept, name)
		return
	}
	for _, f := range one.files {
		one.size += len(f.body)
	}
	for p.size += one.size; p.size > p.most && len(p.kept) > 1; {
		oldest := name
		for n, o := range p.kept {
			if o.used < p.kept[oldest].used {
				oldest = n
			}
		}
		p.size -= p.kept[oldest].size
		delete(p.kept, oldest)
	}
}

// printed makes the three sizes of a picture, or of ours where there is none, the largest first: the others are made of it.
func printed(kind string, png []byte, foreground string) ([]file, error) {
	out := make([]file, 3)
	ours, f := png == nil, formats[kind]
	for scale := 3; scale > 0; scale-- {
		var err error
		if ours {
			png, err = art(kind, f.height*scale, foreground)
		} else {
			png, err = picture.Fit(png, f.width*scale, f.height*scale, f.fill)
		}
		if err != nil {
			return nil, err
		}
		out[scale-1] = newFile(kind+[]string{".png", "@2x.png", "@3x.png"}[scale-1], png)
	}
	return out, nil
}
