package guests

import (
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/page"
)

type gatesData struct {
	Gates []gate.Gate
	Name  string // of the new one, as it was typed
}

func (r *Room) gates(v *frame.Visit) error { return showGates(v, http.StatusOK, gatesData{}, nil) }

func showGates(v *frame.Visit, status int, d gatesData, wrong page.Complaints) (err error) {
	if d.Gates, err = gate.Gates(v.Read(), v.Org.No); err != nil {
		return err
	}
	return v.Show(pages, "gates", status, frame.View{Title: "Gates", At: "/attendance", Complaints: wrong, Data: d})
}

func (r *Room) makeGate(v *frame.Visit) error {
	name := v.Value("name")
	err := v.Write(func(tx *db.Tx) error {
		_, err := gate.CreateGate(tx, v.Org.No, name)
		return err
	})
	if wrong, status, ok := frame.Wrong(err, "gate-", nil); ok {
		return showGates(v, status, gatesData{Name: name}, wrong)
	} else if err != nil {
		return err
	}
	return v.Done("/gates", "The gate is made.")
}

func (r *Room) renameGate(v *frame.Visit) error {
	err := v.Write(func(tx *db.Tx) error {
		_, err := gate.RenameGate(tx, v.Org.No, id.Gate(v.R.PathValue("gate")), v.Value("name"), 0)
		return err
	})
	if wrong, status, ok := frame.Wrong(err, "rename-", nil); ok {
		return showGates(v, status, gatesData{}, wrong)
	} else if err != nil {
		return err
	}
	return v.Done("/gates", "The gate is renamed. What has come through it keeps the old name.")
}

func (r *Room) deleteGate(v *frame.Visit) error {
	sure, err := v.Sure("Delete this gate?", "Lists and devices that name it admit nobody through it any more. What has come through it stays.", "Delete the gate", "/gates")
	if !sure {
		return err
	}
	if err := v.Write(func(tx *db.Tx) error { return gate.DeleteGate(tx, v.Org.No, id.Gate(v.R.PathValue("gate")), 0) }); err != nil {
		return err
	}
	return v.Done("/gates", "The gate is deleted.")
}
