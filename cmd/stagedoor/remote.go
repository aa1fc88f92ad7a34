package main

import (
	"github.com/stagedoorhq/stagedoor/internal/app"
	"github.com/stagedoorhq/stagedoor/internal/remote"
)

// ofServer are the flags of commands that speak to a running server.
type ofServer struct {
	URL string `name:"url" help:"The server's address; without it, http://127.0.0.1:8080." default:"http://127.0.0.1:8080" placeholder:"URL" setting:"" group:"server"`
	Key string `help:"API key or token to show it. Other people on this machine can read command lines, so better in the environment." placeholder:"KEY" setting:"" group:"server"`
}

// server is the server that the flags name.
func (s *ofServer) server() (*remote.Server, error) {
	if s.Key == "" {
		return nil, misuse("the server wants a key: put one into STAGEDOOR_KEY, or give it with --key; make one with: stagedoor key create --org SLUG")
	}
	return remote.New(s.URL, s.Key, "stagedoor/"+app.Version())
}
