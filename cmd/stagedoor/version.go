package main

import (
	"runtime"
	"runtime/debug"

	"github.com/stagedoorhq/stagedoor/internal/app"
)

type versionCmd struct {
	JSON  bool `name:"json" help:"Answer {\"version\", \"commit\", …}."`
	place      // taken as by every command, and not looked at
}

type versionJSON struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Time     string `json:"time,omitempty"`     // of the commit
	Modified bool   `json:"modified,omitempty"` // built from files that were not committed
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

// Run prints the version.
func (c *versionCmd) Run(p *program) error {
	v := built()
	if c.JSON {
		return p.json(v)
	}
	p.printf("stagedoor %s", v.Version)
	if v.Commit != "" {
		p.printf(" (%.12s", v.Commit)
		if v.Modified {
			p.printf(", modified")
		}
		p.printf(")")
	}
	p.printf(" %s %s/%s\n", v.Go, v.OS, v.Arch)
	return nil
}

// built is what the compiler wrote into the program.
func built() versionJSON {
	v := versionJSON{Version: app.Version(), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}
