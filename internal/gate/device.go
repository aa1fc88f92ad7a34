package gate

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// CredentialPrefix is how the credentials of devices begin.
const CredentialPrefix = "sdd_"

// DeviceScopes is what a device may do.
func DeviceScopes() scope.Set { return scope.Of(scope.CheckinRead, scope.CheckinWrite) }

// Enrolment is for how long a device's one-time code is good.
const Enrolment = time.Hour

// Bound is what a device is limited to. Empty lists are no bounds.
type Bound struct {
	Gates  []id.Gate
	Events []id.Event
}

// Allows tells whether the device is for the event.
func (b Bound) Allows(e id.Event) bool { return len(b.Events) == 0 || slices.Contains(b.Events, e) }

// DeviceInput is what a device is made from.
type DeviceInput struct {
	Name string // 1 to 100 characters, without @
	Bound
}

// Device is a scanner.
type Device struct {
	No  int64
	ID  id.Device
	Org int64
	DeviceInput
	CodeUntil  time.Time // when its code ends; zero once it was enrolled
	Version    int64
	CreatedAt  time.Time
	UpdatedAt  time.Time
	EnrolledAt time.Time // zero before
	LastUsedAt time.Time // a minute old at most
}

func (in *DeviceInput) check(q db.Querier, org int64) error {
	var f problem.Fields
	if in.Name = strings.TrimSpace(in.Name); in.Name == "" || !line(in.Name, 100) {
		f.Add("/name", "invalid", "Give a name of 1 to 100 characters on one line, without @.")
	}
	if len(in.Gates) > maxRules || len(in.Events) > maxRules {
		f.Add("", "wrong_length", "A device is bound to %d gates and %d events at most.", maxRules, maxRules)
	}
	for i, e := range in.Events {
		if !id.ValidEvent(string(e)) {
			f.Add(fmt.Sprintf("/events/%d", i), "invalid", "Give the id of an event.")
		}
	}
	if err := checkGates(q, org, &f, in.Gates); err != nil {
		return err
	}
	return f.Err()
}

const (
	deviceColumns = `d.device_no, d.id, d.org_id, d.name, d.gates, d.events, d.code_until, d.version, d.created_at, d.updated_at, d.enrolled_at, d.last_used_at`
	selectDevice  = `SELECT ` + deviceColumns + ` FROM devices d `
)

func scanDevice(r db.Rows) (Device, error) {
	var d Device
	var gates, events string
	var until, created, updated int64
	var enrolled, used *int64
	err := r.Scan(&d.No, &d.ID, &d.Org, &d.Name, &gates, &events, &until, &d.Version, &created, &updated, &enrolled, &used)
	if err != nil {
		return Device{}, err
	}
	d.CreatedAt, d.UpdatedAt, d.EnrolledAt, d.LastUsedAt = moment(created), moment(updated), maybe(enrolled), maybe(used)
	if enrolled == nil {
		d.CodeUntil = moment(until)
	}
	return d, errors.Join(json.Unmarshal([]byte(gates), &d.Gates), json.Unmarshal([]byte(events), &d.Events))
}

// letters are those of enrolment codes: 32, without the pairs that are easily taken for each other.
const letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// newCode makes 50 random bits to type, as "XXXXX-XXXXX".
func newCode() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails, crypto/rand aborts the process instead
	for i := range b {
		b[i] = letters[b[i]%32]
	}
	return string(b[:5]) + "-" + string(b[5:])
}

// hashCode is what is kept of a code, however it is typed.
func hashCode(code string) []byte {
	plain := strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(code))
	sum := sha256.Sum256([]byte(plain))
	return sum[:]
}

func hashOf(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// CreateDevice makes a device and the code with which it is enrolled, which nobody can be shown again. It fails with field errors.
func CreateDevice(tx *db.Tx, org int64, in DeviceInput, by audit.By) (d Device, code string, err error) {
	if err := in.check(tx, org); err != nil {
		return Device{}, "", err
	}
	d = Device{ID: id.NewDevice(), Org: org, DeviceInput: in, CodeUntil: tx.Now().Add(Enrolment), Version: 1, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
	code = newCode()
	gates, events := jsonList(in.Gates), jsonList(in.Events)
	_, err = tx.Exec(`INSERT INTO devices (org_id, id, name, gates, events, code_hash, code_until, version, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $8)`, org, d.ID, d.Name, gates, events, hashCode(code), d.CodeUntil.UnixMicro(), tx.Micros())
	if err != nil {
		return Device{}, "", fmt.Errorf("create device: %w", err)
	}
	return d, code, audit.Append(tx, by.Entry(org, "device.created", string(d.ID), nil))
}

func jsonList[T any](list []T) string {
	b, _ := json.Marshal(append([]T{}, list...)) // lists of texts and numbers always can be
	return string(b)
}

// Enroll turns a one-time code into the device's credential, which nobody can be shown again. name, when not empty, is the device's from then on.
// It fails with invalid_code (401), also for one that was used or has ended.
func Enroll(tx *db.Tx, code, name string) (d Device, credential string, err error) {
	d, err = db.One(tx, scanDevice, selectDevice+`WHERE d.code_hash = $1 AND d.code_until > $2 AND d.hash IS NULL AND d.revoked_at IS NULL /*for update*/`,
		hashCode(code), tx.Micros())
	if errors.Is(err, db.ErrNoRow) {
		return Device{}, "", &problem.Error{
			Kind: problem.Unauthorized, Code: "invalid_code", Challenge: `error="invalid_token"`,
			Detail: "The code is not good, or not any more: it is for one device, once, within an hour. Have a new device made.",
		}
	}
	if err != nil {
		return Device{}, "", fmt.Errorf("enrol device: %w", err)
	}
	if name = strings.TrimSpace(name); name != "" {
		if !line(name, 100) {
			return Device{}, "", problem.Field("/name", "invalid", "Give a name of at most 100 characters on one line, without @.")
		}
		d.Name = name
	}
	credential = id.Secret(CredentialPrefix)
	d.EnrolledAt, d.UpdatedAt, d.CodeUntil = tx.Now(), tx.Now(), time.Time{}
	d.Version++
	_, err = tx.Exec(`UPDATE devices SET code_hash = NULL, hash = $1, name = $2, enrolled_at = $3, updated_at = $3, version = $4 WHERE device_no = $5 AND org_id = $6`,
		hashOf(credential), d.Name, tx.Micros(), d.Version, d.No, d.Org)
	if err != nil {
		return Device{}, "", fmt.Errorf("enrol device: %w", err)
	}
	return d, credential, audit.Append(tx, audit.By{Actor: string(d.ID)}.Entry(d.Org, "device.enrolled", string(d.ID), nil))
}

// Authenticate finds out whose credential is presented: one look-up by its hash. It fails with invalid_token.
func Authenticate(q db.Querier, presented string) (Device, error) {
	d, err := db.One(q, scanDevice, selectDevice+`WHERE d.hash = $1 AND d.revoked_at IS NULL`, hashOf(presented))
	if errors.Is(err, db.ErrNoRow) {
		return Device{}, &problem.Error{
			Kind: problem.Unauthorized, Code: "invalid_token", Challenge: `error="invalid_token"`,
			Detail: "The device's credential is not valid, or not any more. Enrol the device again.",
		}
	}
	if err != nil {
		return Device{}, fmt.Errorf("authenticate device: %w", err)
	}
	return d, nil
}

// UsedDevices notes that devices have been used.
func UsedDevices(tx *db.Tx, org int64, devices ...id.Device) error {
	for _, d := range devices {
		if err := tx.Later(`UPDATE devices SET last_used_at = $1 WHERE org_id = $2 AND id = $3`, tx.Micros(), org, d); err != nil {
			return fmt.Errorf("note use of device: %w", err)
		}
	}
	return nil
}

// Devices lists an organisation's devices, oldest first, without the revoked ones.
func Devices(q db.Querier, org int64) ([]Device, error) {
	all, err := db.All(q, scanDevice, selectDevice+`WHERE d.org_id = $1 AND d.revoked_at IS NULL ORDER BY d.device_no`, org)
	if err != nil {
		return nil, fmt.Errorf("devices: %w", err)
	}
	return all, nil
}

// DeviceByID finds a device; device_not_found, also for a revoked one.
func DeviceByID(q db.Querier, org int64, device id.Device) (Device, error) {
	d, err := db.One(q, scanDevice, selectDevice+`WHERE d.org_id = $1 AND d.id = $2 AND d.revoked_at IS NULL`, org, device)
	if errors.Is(err, db.ErrNoRow) {
		return Device{}, problem.New(problem.NotFound, "device_not_found", "There is no such device here.")
	}
	if err != nil {
		return Device{}, fmt.Errorf("load device: %w", err)
	}
	return d, nil
}

// UpdateDevice changes a device. It fails with device_not_found, version_mismatch and field errors.
func UpdateDevice(tx *db.Tx, org int64, device id.Device, version int64, apply func(*DeviceInput)) (Device, error) {
	d, err := DeviceByID(tx, org, device)
	if err == nil {
		err = fresh("device", d.Version, version)
	}
	if err != nil {
		return Device{}, err
	}
	apply(&d.DeviceInput)
	if err := d.check(tx, org); err != nil {
		return Device{}, err
	}
	d.UpdatedAt = tx.Now()
	d.Version++
	_, err = tx.Exec(`UPDATE devices SET name = $1, gates = $2, events = $3, version = $4, updated_at = $5 WHERE device_no = $6 AND org_id = $7`,
		d.Name, jsonList(d.Gates), jsonList(d.Events), d.Version, tx.Micros(), d.No, org)
	if err != nil {
		return Device{}, fmt.Errorf("change device: %w", err)
	}
	return d, nil
}

// RevokeDevice ends a device; device_not_found. Ending it twice is fine.
func RevokeDevice(tx *db.Tx, org int64, device id.Device, by audit.By) error {
	n, err := tx.Exec(`UPDATE devices SET revoked_at = $1, code_hash = NULL WHERE org_id = $2 AND id = $3 AND revoked_at IS NULL`, tx.Micros(), org, device)
	if err != nil {
		return fmt.Errorf("revoke device: %w", err)
	}
	if n > 0 {
		return audit.Append(tx, by.Entry(org, "device.revoked", string(device), nil))
	}
	known, err := db.One(tx, db.Value[int], `SELECT count(*) FROM devices WHERE org_id = $1 AND id = $2`, org, device)
	if err == nil && known == 0 {
		err = problem.New(problem.NotFound, "device_not_found", "There is no such device here.")
	}
	return err
}
