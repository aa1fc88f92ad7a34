package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// settings gives flags that carry the tag "setting" and are not on the command line their values: from the environment, else from the
// file that --config names.
type settings struct {
	getenv func(string) string
	file   map[string]any // by the flag's name; nil before it was read
}

// variable is the environment variable behind a flag.
func variable(flag string) string {
	return "STAGEDOOR_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// Resolve implements [kong.Resolver].
func (s *settings) Resolve(c *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if !flag.Tag.Has("setting") {
		return nil, nil
	}
	if v := s.getenv(variable(flag.Name)); v != "" {
		return v, nil
	}
	if flag.Name == "config" {
		return nil, nil
	}
	if s.file == nil {
		if err := s.read(s.fileName(c)); err != nil {
			return nil, err
		}
	}
	switch v := s.file[flag.Name].(type) {
	case nil:
		return nil, nil
	case string:
		return v, nil
	case []any:
		parts := make([]string, len(v))
		for i, part := range v {
			text, ok := part.(string)
			if !ok {
				return nil, errors.New("the config file gives a list with something in it that is not a text")
			}
			parts[i] = text
		}
		return strings.Join(parts, ","), nil
	default:
		return nil, fmt.Errorf("the config file gives %v; write it as a text, or as a list of texts", v)
	}
}

// fileName is what --config says, or the environment.
func (s *settings) fileName(c *kong.Context) string {
	for _, p := range c.Path {
		if p.Flag != nil && p.Flag.Name == "config" {
			return fmt.Sprint(c.FlagValue(p.Flag))
		}
	}
	return s.getenv(variable("config"))
}

func (s *settings) read(name string) error {
	s.file = map[string]any{}
	if name == "" {
		return nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("config file: %w", err)
	}
	if err := json.Unmarshal(text, &s.file); err != nil {
		return fmt.Errorf("config file %s is not a JSON object: %w", name, err)
	}
	return nil
}

// Validate implements [kong.Resolver]: the file sets nothing that does not exist.
func (s *settings) Validate(app *kong.Application) error {
	var known []string
	err := kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok && flag.Tag.Has("setting") && flag.Name != "config" {
			known = append(known, flag.Name)
		}
		return next(nil)
	})
	if err != nil {
		return err
	}
	slices.Sort(known)
	for name := range s.file {
		if !slices.Contains(known, name) {
			return fmt.Errorf("the config file sets %q, which is not a setting; there are %s", name, strings.Join(slices.Compact(known), ", "))
		}
	}
	return nil
}

// network is a CIDR network as a flag; a bare address stands for itself alone.
type network netip.Prefix

// UnmarshalText implements [encoding.TextUnmarshaler].
func (n *network) UnmarshalText(text []byte) error {
	if addr, err := netip.ParseAddr(string(text)); err == nil && addr.Zone() == "" {
		*n = network(netip.PrefixFrom(addr, addr.BitLen()))
		return nil
	}
	p, err := netip.ParsePrefix(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a network; write it as 10.0.0.0/8 or 192.0.2.7", text)
	}
	*n = network(p)
	return nil
}

func prefixes(networks []network) []netip.Prefix {
	all := make([]netip.Prefix, len(networks))
	for i, n := range networks {
		all[i] = netip.Prefix(n)
	}
	return all
}
