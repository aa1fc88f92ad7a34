package pass

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"regexp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// What sealed values are bound to.
func sealedToken(pass id.Pass) string           { return "pass token " + string(pass) }
func sealedBarcode(pass id.Pass) string         { return "pass barcode " + string(pass) }
func sealedPushToken(of id.Registration) string { return "pass push token " + string(of) }

// deviceHash is what is kept of a device's name. The names of one platform are none of the other's.
func deviceHash(p Platform, device string) []byte {
	sum := sha256.Sum256([]byte(string(p) + "\x00" + device))
	return sum[:]
}

// Authorized finds the pass with a serial for a device that shows the pass's token; pass_not_found, also for a wrong token.
func (b *Book) Authorized(q db.Querier, platform Platform, serial, token string) (*Pass, error) {
	p, err := BySerial(q, platform, serial)
	if problem.Is(err, "pass_not_found") {
		_, _ = b.token(&Pass{ID: decoy, token: b.decoy}) // as much work as for a pass that there is
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	is, err := b.token(p)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(is), []byte(token)) != 1 {
		return nil, errNotFound()
	}
	return p, nil
}

// decoy is no pass's id.
const decoy id.Pass = "none"

// token is what a device proves to have the pass with.
func (b *Book) token(p *Pass) (string, error) {
	token, err := b.keys.Open(p.token, sealedToken(p.ID))
	if err != nil {
		return "", fmt.Errorf("token of pass %s: %w", p.ID, err)
	}
	return string(token), nil
}

// BySerial finds a pass by what the wallets call it; pass_not_found.
func BySerial(q db.Querier, platform Platform, serial string) (*Pass, error) {
	return one(q, `WHERE p.serial = $1 AND p.platform = $2`, serial, platform)
}

var pushTokenForm = regexp.MustCompile(`^[0-9A-Za-z_-]{0,400}$`)

// Register notes that a device has a pass, and appends registration.added where it had not before. A push token that changed is noted; a device without one (an
// account at Google, which is a device too) is not pushed to. An expired pass takes no new registration: added is false, and the device, which may have
// fetched the pass before it expired, is told nothing: it learns of it when it fetches the pass again. It fails with pass_not_found, too_many_devices (429) and field
// errors.
func (b *Book) Register(tx *db.Tx, serial, device, pushToken string) (added bool, err error) {
	if device == "" || len(device) > 255 {
		return false, problem.Field("/device", "out_of_range", "A device's name has 1 to 255 characters.")
	}
	if !pushTokenForm.MatchString(pushToken) {
		return false, problem.Field("/pushToken", "invalid", "A push token has at most 400 letters and digits.")
	}
	p, err := locked(tx, `WHERE p.serial = $1`, serial)
	if err != nil {
		return false, err
	}
	known, err := b.renew(tx, p, device, pushToken)
	if err != nil || known || p.over(tx.Now()) {
		return false, err
	}
	return true, b.register(tx, p, device, pushToken)
}

// renew notes a push token of a device that has the pass already, and tells whether it has.
func (b *Book) renew(tx *db.Tx, p *Pass, device, pushToken string) (known bool, err error) {
	type open struct {
		no     int64
		id     id.Registration
		sealed []byte
	}
	r, err := db.One(tx, func(rows db.Rows) (r open, err error) { return r, rows.Scan(&r.no, &r.id, &r.sealed) },
		`SELECT registration_no, id, push_token FROM pass_registrations WHERE device = $1 AND pass_no = $2 AND deleted_at IS NULL`, deviceHash(p.Platform, device), p.No)
	if errors.Is(err, db.ErrNoRow) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("load registration: %w", err)
	}
	if r.sealed != nil {
		was, err := b.keys.Open(r.sealed, sealedPushToken(r.id))
		if err != nil {
			return false, fmt.Errorf("push token of registration %s: %w", r.id, err)
		}
		if string(was) == pushToken {
			return true, nil
		}
	}
	if pushToken == "" {
		return true, nil
	}
	if _, err := tx.Exec(`UPDATE pass_registrations SET push_token = $1 WHERE registration_no = $2 AND org_id = $3`,
		b.sealPushToken(r.id, pushToken), r.no, p.Org); err != nil {
		return false, fmt.Errorf("note push token: %w", err)
	}
	return true, nil
}

func (b *Book) sealPushToken(of id.Registration, token string) any {
	if token == "" {
		return nil
	}
	return b.keys.Seal([]byte(token), sealedPushToken(of))
}

func (b *Book) register(tx *db.Tx, p *Pass, device, pushToken string) error {
	if p.Open >= MaxOpen {
		return problem.New(problem.TooMany, "too_many_devices", "The pass is on %d devices, which is the most; remove it from one of them first.", p.Open)
	}
	if p.ever >= MaxRegistered {
		return problem.New(problem.TooMany, "too_many_devices", "The pass was put on a device %d times, which is the most; make a new pass.", p.ever)
	}
	r := Registration{ID: id.NewRegistration(), CreatedAt: tx.Now()}
	no, err := db.One(tx, db.Value[int64], `INSERT INTO pass_registrations (org_id, id, pass_no, device, push_token, tag, created_at) VALUES ($1, $2, $3, $4, $5, 0, $6)
		RETURNING registration_no`, p.Org, r.ID, p.No, deviceHash(p.Platform, device), b.sealPushToken(r.ID, pushToken), tx.Micros())
	if err != nil {
		return fmt.Errorf("insert registration: %w", err)
	}
	if p.changed() { // the device may have fetched it before, and be registered only now
		if err := tellNew(tx, p, no, pushToken != ""); err != nil {
			return err
		}
	}
	p.Open++
	p.ever++
	p.Version++
	p.Registrations = append(p.Registrations, r)
	p.Registrations = p.Registrations[max(0, len(p.Registrations)-shownRegistrations):]
	if err := save(tx, p); err != nil {
		return err
	}
	return b.tell(tx, fact.RegistrationAdded, "", p)
}

// tellNew has a new registration of a pass fetch it once more.
func tellNew(tx *db.Tx, p *Pass, registrationNo int64, pushed bool) error {
	if err := tick(tx); err != nil {
		return err
	}
	if err := tx.Last(`UPDATE pass_registrations SET tag = `+theTag+` WHERE registration_no = $1 AND org_id = $2`, registrationNo, p.Org); err != nil {
		return fmt.Errorf("give a registration its tag: %w", err)
	}
	switch {
	case p.Platform == Google:
		return queue(tx, p.Org, p.No, 0, 0)
	case pushed:
		return queue(tx, p.Org, p.No, registrationNo, 0)
	}
	return nil
}

// Unregister notes that a device has a pass no more, and appends registration.removed; doing it twice is fine. It fails with pass_not_found.
func (b *Book) Unregister(tx *db.Tx, serial, device string) error {
	p, err := locked(tx, `WHERE p.serial = $1`, serial)
	if err != nil {
		return err
	}
	return b.unregister(tx, p, `device = $3`, deviceHash(p.Platform, device))
}

// Remove is Unregister by the registration's id, for the organisation. It fails with pass_not_found and registration_not_found.
func (b *Book) Remove(tx *db.Tx, org int64, pass id.Pass, registration id.Registration) (*Pass, error) {
	p, err := lock(tx, org, pass)
	if err != nil {
		return nil, err
	}
	there, err := db.One(tx, db.Value[bool], `SELECT EXISTS (SELECT 1 FROM pass_registrations WHERE pass_no = $1 AND id = $2)`, p.No, registration)
	if err != nil {
		return nil, fmt.Errorf("load registration: %w", err)
	}
	if !there {
		return nil, problem.New(problem.NotFound, "registration_not_found", "The pass has no such registration.")
	}
	return p, b.unregister(tx, p, `id = $3`, registration)
}

// unregister ends an open registration of a pass, by a condition with the parameter $3, and appends registration.removed; nothing where there is none. The
// transaction has locked the pass.
func (b *Book) unregister(tx *db.Tx, p *Pass, which string, value any) error {
	type ended struct {
		no int64
		id id.Registration
	}
	r, err := db.One(tx, func(rows db.Rows) (r ended, err error) { return r, rows.Scan(&r.no, &r.id) },
		`UPDATE pass_registrations SET deleted_at = $1, push_token = NULL WHERE pass_no = $2 AND `+which+` AND deleted_at IS NULL RETURNING registration_no, id`,
		tx.Micros(), p.No, value)
	if errors.Is(err, db.ErrNoRow) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("end registration: %w", err)
	}
	if err := tx.Later(`DELETE FROM pass_pushes WHERE pass_no = $1 AND registration_no = $2`, p.No, r.no); err != nil {
		return err
	}
	p.Open--
	p.Version++
	for i := range p.Registrations {
		if p.Registrations[i].ID == r.id {
			p.Registrations[i].DeletedAt = tx.Now()
		}
	}
	if err := save(tx, p); err != nil {
		return err
	}
	return b.tell(tx, fact.RegistrationRemoved, "", p)
}

// Changed lists the serials of a device's passes that have a tag above the given one, and the highest tag among them; none where nothing changed, or the device
// is not known. The tag is -1 for all of them, then the one that was returned before. Only Apple's devices ask.
func Changed(q db.Querier, device string, since int64) (serials []string, tag int64, err error) {
	_, err = db.All(q, func(r db.Rows) (struct{}, error) {
		var serial string
		err := r.Scan(&serial, &tag)
		serials = append(serials, serial)
		return struct{}{}, err
	}, `SELECT serial, tag FROM (
			SELECT p.serial, p.pass_no, CASE WHEN r.tag > p.tag THEN r.tag ELSE p.tag END AS tag
			FROM pass_registrations r JOIN passes p ON p.pass_no = r.pass_no WHERE r.device = $1 AND r.deleted_at IS NULL) x
		WHERE tag > $2 ORDER BY tag, pass_no`, deviceHash(Apple, device), since)
	if err != nil {
		return nil, 0, fmt.Errorf("passes of a device: %w", err)
	}
	return serials, tag, nil
}
