package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

// Finding is what one look of [Examine] has found.
type Finding struct {
	Check  string // what was looked at: "data folder", "master key", …
	OK     bool
	Says   string // what was found
	Remedy string // what to do; empty when OK
}

// Examine looks over an installation without changing it: the data folder, the master key, the database, its schema and settings, the
// clock, Apple's certificate for passes where there is one, and, where target is not empty, whether deliveries can reach that URL.
func Examine(ctx context.Context, c Config, target string) []Finding {
	if c.Getenv == nil {
		c.Getenv = os.Getenv
	}
	x := &examination{c: c}
	if x.folder() {
		x.key()
		x.database(ctx)
	}
	x.zones()
	x.passes()
	x.server()
	if target != "" {
		x.target(ctx, target)
	}
	return x.findings
}

type examination struct {
	c        Config
	keys     *seal.Keyring // nil when there is none that works
	findings []Finding
}

func (x *examination) ok(check, says string, args ...any) {
	x.findings = append(x.findings, Finding{Check: check, OK: true, Says: fmt.Sprintf(says, args...)})
}

func (x *examination) problem(check, remedy, says string, args ...any) {
	x.findings = append(x.findings, Finding{Check: check, Says: fmt.Sprintf(says, args...), Remedy: remedy})
}

// lowSpace is how much room a disk must have: SQLite's write-ahead log and a backup need some, whatever the size of the database.
const lowSpace = 512 << 20

// folder looks at the data folder and returns whether there is one.
func (x *examination) folder() bool {
	const check = "data folder"
	info, err := os.Stat(x.c.Data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		x.problem(check, "Name the folder of your installation with --data; a new one is made by: stagedoor org create NAME", "%s does not exist.", x.c.Data)
		return false
	case err != nil:
		x.problem(check, "Run this as the user that the server runs as.", "%v.", err)
		return false
	case !info.IsDir():
		x.problem(check, "Name a folder with --data.", "%s is a file.", x.c.Data)
		return false
	case info.Mode().Perm()&0o077 != 0:
		x.problem(check, "chmod 700 "+x.c.Data, "%s may be entered by others (mode %04o); it holds the master key.", x.c.Data, info.Mode().Perm())
		return true
	}
	f, err := os.CreateTemp(x.c.Data, ".doctor-*")
	if err != nil {
		x.problem(check, "Run this as the user that the server runs as, or make the folder that user's.", "cannot write to %s: %v.", x.c.Data, err)
		return true
	}
	_ = f.Close()
	_ = os.Remove(f.Name())
	free, known := freeSpace(x.c.Data)
	switch {
	case !known:
		x.ok(check, "%s", x.c.Data)
	case free < lowSpace:
		x.problem(check, "Make room on the disk: without any, nothing can be accepted.", "%s has only %d MiB free.", x.c.Data, free>>20)
	default:
		x.ok(check, "%s, %d GiB free", x.c.Data, free>>30)
	}
	return true
}

// key looks at the master key.
func (x *examination) key() {
	const check = "master key"
	file := x.c.masterKey()
	_, err := os.Stat(file)
	if file != seal.EnvVar && errors.Is(err, fs.ErrNotExist) {
		remedy := "Put the key that you kept into " + file + ", or set " + seal.EnvVar + "."
		if x.c.Exists() != nil {
			remedy = "None is needed yet: it is made with the database."
		}
		x.problem(check, remedy, "there is no %s.", file)
		return
	}
	keys, err := seal.Load(x.c.Getenv, file)
	if err != nil {
		x.problem(check, "Put it right, or put the key that you kept back; a new key cannot open what the old one has sealed.", "%v.", err)
		return
	}
	x.keys = keys
	x.ok(check, "%s, fingerprint %.8s…", file, keys.Fingerprint())
}

// database looks at the database and what is in it.
func (x *examination) database(ctx context.Context) {
	const check = "database"
	if err := x.c.Exists(); err != nil {
		x.problem(check, "Make one with: stagedoor org create NAME", "there is none in %s yet.", x.c.Data)
		return
	}
	err := x.c.withDatabase(ctx, func(d *db.DB) error {
		x.ok(check, "%s answers", d.Engine())
		x.schema(ctx, d)
		x.settings(ctx, d)
		return nil
	})
	if err != nil {
		remedy := "See that the file can be read and written, and is a database; restore a backup if it is damaged."
		if x.c.Database != "" {
			remedy = "See that PostgreSQL runs, and that host, user, password and database name in --database are right."
		}
		x.problem(check, remedy, "%v.", err)
	}
}

// schema compares the schema with the program, and looks at what needs one.
func (x *examination) schema(ctx context.Context, d *db.DB) {
	const check = "schema"
	have, want, err := d.SchemaVersion(ctx)
	switch {
	case err != nil:
		x.problem(check, "Give the database's user the right to its tables.", "%v.", err)
	case have > want:
		x.problem(check, "Start the newer program again, or restore a backup that was made before it ran.",
			"a newer program has migrated the database: it has version %d, and this program knows %d.", have, want)
	case have < want:
		x.problem(check, "Make a backup and run: stagedoor migrate (serve does it too when it starts)", "the database has version %d, and this program brings %d.", have, want)
	default:
		x.ok(check, "version %d", have)
		x.fits(ctx, d)
		x.clock(ctx, d)
	}
}

// fits compares the master key with the one that the database was made with.
func (x *examination) fits(ctx context.Context, d *db.DB) {
	if x.keys == nil {
		return
	}
	const check = "master key and database"
	made, err := db.Setting(d.Read(ctx), keySetting)
	switch {
	case err != nil:
		x.problem(check, "Look at the database first.", "%v.", err)
	case made != "" && made != x.keys.Fingerprint():
		x.problem(check, "Put the right key into "+x.c.masterKey()+".", "the database was made with the master key %.8s…, not with %.8s….", made, x.keys.Fingerprint())
	default:
		x.ok(check, "belong together")
	}
}

// keySetting is where the database keeps the fingerprint of its master key.
const keySetting = "master key fingerprint"

// maxSkew is how far apart the clocks of a node and its database, or of the present and the past, may be.
const maxSkew = 5 * time.Second

// clock compares this machine's clock with the database's, and with the last change of the file where it has none of its own.
func (x *examination) clock(ctx context.Context, d *db.DB) {
	const check, remedy = "clock", "Have the clocks set by NTP: receivers refuse deliveries whose timestamp is far off."
	if d.Engine() == db.SQLite {
		info, err := os.Stat(filepath.Join(x.c.Data, databaseFile))
		if err == nil && time.Until(info.ModTime()) > maxSkew {
			x.problem(check, remedy, "the database was last changed %v in the future; the clock was set back.", time.Until(info.ModTime()).Round(time.Second))
			return
		}
		x.ok(check, "%s", time.Now().UTC().Format(time.RFC3339))
		return
	}
	var theirs time.Time
	before := time.Now()
	err := d.WriteAlone(ctx, func(tx *db.Tx) error { theirs = tx.Now(); return nil })
	if err != nil {
		x.problem(check, "Look at the database first.", "%v.", err)
		return
	}
	took := time.Since(before)
	skew := theirs.Sub(before.Add(took / 2)).Abs()
	if skew > maxSkew+took {
		x.problem(check, remedy, "this machine's clock and the database's are %v apart.", skew.Round(time.Second))
		return
	}
	x.ok(check, "%s, like the database's", time.Now().UTC().Format(time.RFC3339))
}

func (x *examination) settings(ctx context.Context, d *db.DB) {
	const check = "database settings"
	bad, err := d.Check(ctx)
	if err != nil {
		x.problem(check, "Look at the database first.", "%v.", err)
		return
	}
	slices.Sort(bad)
	for _, what := range bad {
		x.problem(check, "Put the setting right and start the database again: what was accepted must survive a loss of power.", "%s.", what)
	}
	if len(bad) == 0 {
		x.ok(check, "commits are on disk when they are answered")
	}
}

func (x *examination) zones() {
	const check, name = "time zones", "Europe/Oslo"
	if _, err := time.LoadLocation(name); err != nil {
		x.problem(check, "Install the package tzdata, or unset ZONEINFO.", "%s is not known: %v.", name, err)
		return
	}
	x.ok(check, "known")
}

// passes looks at Apple's certificate for passes, which ends after a year.
func (x *examination) passes() {
	const check, remedy = "pass certificate", "Make a new one for the same pass type at Apple's developer site, and give it to serve with --apple-pass-cert."
	i, err := x.c.Wallets.identity()
	switch {
	case err != nil:
		x.problem(check, "Name a file with the pass type certificate and its key, the password's if it has one, and that of the intermediate above it.", "%v.", err)
	case i == nil:
	case time.Until(i.Expires) < 0:
		x.problem(check, remedy, "that of %s ended on %s: phones take no pass.", i.TypeID, i.Expires.UTC().Format(time.DateOnly))
	case time.Until(i.Expires) < renewal:
		x.problem(check, remedy, "that of %s ends on %s; from then on phones take no pass.", i.TypeID, i.Expires.UTC().Format(time.DateOnly))
	default:
		x.ok(check, "%s, until %s", i.TypeID, i.Expires.UTC().Format(time.DateOnly))
	}
}

// server tells whether one serves this data folder. Either is fine.
func (x *examination) server() {
	const check = "server"
	file := filepath.Join(x.c.Data, lockFile)
	if _, err := os.Stat(file); err != nil {
		x.ok(check, "none runs on this data folder")
		return
	}
	release, err := lockData(file)
	if err != nil {
		x.ok(check, "one runs on this data folder")
		return
	}
	release()
	x.ok(check, "none runs on this data folder")
}

// target sends a request to a URL in the way that deliveries are sent.
func (x *examination) target(ctx context.Context, raw string) {
	const check = "deliveries"
	policy := egress.NewPolicy(egress.Config{Allow: x.c.AllowTargets})
	t, err := policy.CheckURL(ctx, raw)
	var refused *egress.Refused
	if errors.As(err, &refused) {
		x.problem(check, rules[refused.Reason], "%s is refused by the rule %q: %s", raw, refused.Reason, refused.Detail)
		return
	}
	if err != nil {
		x.problem(check, "Try again.", "%v.", err)
		return
	}
	client := egress.NewClient(policy, egress.Options{UserAgent: "Stagedoor-Doctor/1"})
	defer client.Close()
	o := client.Do(ctx, &egress.Request{Method: "GET", Target: t})
	if o.Code != egress.CodeOK {
		x.problem(check, failures[o.Code], "%s cannot be reached (%s): %s", t, o.Code, strings.TrimSuffix(o.Detail, ".")+".")
		return
	}
	x.ok(check, "%s can be reached: it answers a GET with %d after %v", t, o.Status, o.Timing.Total.Round(time.Millisecond))
}

// rules say what to do about a URL that is refused, by the reason.
var rules = map[egress.Reason]string{
	egress.ReasonURL:     "Write it in full: https://host/path.",
	egress.ReasonScheme:  "Use https; or, for a network of your own, start the server with --allow-target and its CIDR.",
	egress.ReasonHost:    "Use the receiver's public name; for a local name, start the server with --allow-target and the CIDR of its address.",
	egress.ReasonPort:    "Use port 443; or, for a network of your own, start the server with --allow-target and its CIDR.",
	egress.ReasonAddress: "Use a public address; if this private network is yours to open, start the server with --allow-target and its CIDR.",
}

// failures say what to do about a URL that cannot be reached, by the code.
var failures = map[egress.Code]string{
	egress.CodeDNS:         "See that the name exists and that this machine's name servers answer.",
	egress.CodeRefused:     "The name leads to a private address; if that network is yours to open, start the server with --allow-target and its CIDR.",
	egress.CodeConnect:     "See that the receiver runs, and that no firewall stands between.",
	egress.CodeTLS:         "See that the receiver's certificate is valid, complete and for this name.",
	egress.CodeTimeout:     "See that the receiver answers in time, and that no firewall drops the packets.",
	egress.CodeReset:       "See that the receiver, and the proxy before it, answer instead of closing the connection.",
	egress.CodeBadResponse: "See that the receiver speaks HTTP/1.1 on this port.",
}
