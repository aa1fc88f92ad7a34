package app

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strconv"
	"time"
)

// Version is the program's version: the module's, or "devel".
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

// resolveDatabase returns the addresses that a database URL leads to; none for a socket, or when the name does not resolve now.
func resolveDatabase(database string) []netip.AddrPort {
	u, err := url.Parse(database)
	if err != nil || u.Hostname() == "" {
		return nil
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		port = 5432
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return nil
	}
	addrs := make([]netip.AddrPort, len(ips))
	for i, ip := range ips {
		addrs[i] = netip.AddrPortFrom(ip.Unmap(), uint16(port))
	}
	return addrs
}
