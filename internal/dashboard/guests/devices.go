package guests

import (
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/qrcode"
)

type devicesData struct {
	Devices []deviceRow
	Name    string // of the new one, as it was typed
	Events  []tick
	Gates   []tick
	Link    string       // of the device that was just made: shown this once
	Picture template.URL // of the link
	Made    string       // that device's name
}

// deviceRow is a device with the names of what it is bound to.
type deviceRow struct {
	gate.Device
	At []string
}

func (r *Room) devices(v *frame.Visit) error {
	return showDevices(v, http.StatusOK, devicesData{}, gate.Bound{}, nil)
}

func showDevices(v *frame.Visit, status int, d devicesData, ticked gate.Bound, wrong page.Complaints) error {
	q := v.Read()
	gates, err := gate.Gates(q, v.Org.No)
	if err != nil {
		return err
	}
	active, _, err := event.List(q, v.Org.No, event.Filter{Now: v.Now(), Limit: frame.PageSize})
	if err != nil {
		return err
	}
	names := map[string]string{}
	for _, g := range gates {
		names[string(g.ID)] = g.Name
		d.Gates = append(d.Gates, tick{string(g.ID), g.Name, slices.Contains(ticked.Gates, g.ID)})
	}
	for _, e := range active {
		names[string(e.ID)] = e.Name
		d.Events = append(d.Events, tick{string(e.ID), e.Name + ", " + e.StartLocal[:10], slices.Contains(ticked.Events, e.ID)})
	}
	all, err := gate.Devices(q, v.Org.No)
	if err != nil {
		return err
	}
	for _, one := range all {
		d.Devices = append(d.Devices, deviceRow{one, boundTo(one.Bound, names)})
	}
	return v.Show(pages, "devices", status, frame.View{Title: "Door devices", At: "/devices", Complaints: wrong, Data: d})
}

// boundTo names what a device is bound to; by its id what has no name here any more.
func boundTo(b gate.Bound, names map[string]string) (all []string) {
	say := func(id string) {
		if name, known := names[id]; known {
			id = name
		}
		all = append(all, id)
	}
	for _, e := range b.Events {
		say(string(e))
	}
	for _, g := range b.Gates {
		say(string(g))
	}
	return all
}

// makeDevice makes a device. Its link has the one-time code in it, with which the phone that opens it first, within an hour, is that device.
func (r *Room) makeDevice(v *frame.Visit) error {
	in := gate.DeviceInput{Name: v.Value("name")}
	for _, e := range v.Form["event"] {
		in.Events = append(in.Events, id.Event(e))
	}
	for _, g := range v.Form["gate"] {
		in.Gates = append(in.Gates, id.Gate(g))
	}
	var code string
	err := v.Write(func(tx *db.Tx) (err error) {
		_, code, err = gate.CreateDevice(tx, v.Org.No, in, v.By())
		return err
	})
	if wrong, status, ok := frame.Wrong(err, "device-", nil); ok {
		return showDevices(v, status, devicesData{Name: in.Name}, in.Bound, wrong)
	} else if err != nil {
		return err
	}
	link := strings.TrimSuffix(v.PublicURL, "/") + "/door#pair=" + code
	c, err := qrcode.Text(link)
	if err != nil {
		return err
	}
	//nolint:gosec // G203: a picture that we drew
	return showDevices(v, http.StatusOK, devicesData{Link: link, Picture: template.URL(c.DataURI(320)), Made: in.Name}, gate.Bound{}, nil)
}

func (r *Room) revokeDevice(v *frame.Visit) error {
	sure, err := v.Sure("Revoke this device?", "It scans nothing any more, from the next second on. What it scanned without a network and has not uploaded is lost to us.", "Revoke the device", "/devices")
	if !sure {
		return err
	}
	if err := v.Write(func(tx *db.Tx) error {
		return gate.RevokeDevice(tx, v.Org.No, id.Device(v.R.PathValue("device")), v.By())
	}); err != nil {
		return err
	}
	return v.Done("/devices", "The device is revoked.")
}
