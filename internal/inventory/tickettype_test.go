package inventory_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

func (s *store) pool(in inventory.PoolInput) (p inventory.Pool, err error) {
	err = s.db.Write(s.t.Context(), "", func(tx *db.Tx) (err error) {
		p, err = s.stock.CreatePool(tx, house, "E", in)
		return err
	})
	return p, err
}

func (s *store) changePool(e id.Event, name string, patch inventory.PoolPatch) (p inventory.Pool, err error) {
	err = s.db.Write(s.t.Context(), "", func(tx *db.Tx) (err error) {
		p, err = s.stock.UpdatePool(tx, house, e, name, patch)
		return err
	})
	return p, err
}

func (s *store) createType(in inventory.TypeInput) (t inventory.TicketType, err error) {
	if in.Event == "" {
		in.Event = "E"
	}
	if in.Price == "" {
		in.Price = "75.00"
	}
	err = s.db.Write(s.t.Context(), "", func(tx *db.Tx) (err error) {
		t, err = s.stock.CreateType(tx, house, in)
		return err
	})
	return t, err
}

func (s *store) mustType(in inventory.TypeInput) inventory.TicketType {
	s.t.Helper()
	t, err := s.createType(in)
	if err != nil {
		s.t.Fatalf("CreateType(%+v): %v", in, err)
	}
	return t
}

func (s *store) changeType(t id.TicketType, p inventory.TypePatch) (out inventory.TicketType, err error) {
	err = s.db.Write(s.t.Context(), "", func(tx *db.Tx) (err error) {
		out, err = s.stock.UpdateType(tx, house, t, p)
		return err
	})
	return out, err
}

func (s *store) typeByID(f fail, t id.TicketType) inventory.TicketType {
	f.Helper()
	got, err := inventory.TypeByID(s.db.Read(s.t.Context()), house, t, false)
	if err != nil {
		f.Fatalf("TypeByID(%s): %v", t, err)
	}
	return got
}

func TestTypesShareTheirPools(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		e := s.event("E")
		for _, in := range []inventory.PoolInput{{Name: "Hall", Capacity: 5, Blocked: 1}, {Name: "Lounge", Capacity: 2}} {
			if _, err := s.pool(in); err != nil {
				t.Fatal(err)
			}
		}
		adult := s.mustType(inventory.TypeInput{Name: "Adult", Pools: []string{"Hall"}})
		vip := s.mustType(inventory.TypeInput{Name: "VIP", Pools: []string{"Hall", "Lounge"}, Price: "200"})
		s.told("types are listings", "listing.changed listing.changed")
		if adult.Listing.Section != "Adult" || adult.Listing.Free() != 4 || vip.Listing.Free() != 2 || vip.Listing.Listed() != 2 {
			t.Errorf("Adult has %d free, VIP %d of %d; want 4, 2 of 2", adult.Listing.Free(), vip.Listing.Free(), vip.Listing.Listed())
		}
		expect := func(story string, adults, vips, all int) {
			t.Helper()
			a, v := s.typeByID(t, adult.ID).Listing, s.typeByID(t, vip.ID).Listing
			if a.Free() != adults || v.Free() != vips || s.free(t, e) != all {
				t.Errorf("%s: Adult has %d free, VIP %d, the event %d; want %d, %d, %d", story, a.Free(), v.Free(), s.free(t, e), adults, vips, all)
			}
			s.audit(t)
		}
		expect("in the beginning", 4, 2, 4)
		two, _, err := s.take("E", inventory.Want{Type: vip.ID, Quantity: 2})
		if err != nil {
			t.Fatal(err)
		}
		s.told("the lounge is full", "listing.changed")
		expect("two VIPs", 2, 0, 2)
		if _, _, err := s.take("E", inventory.Want{Type: vip.ID, Quantity: 1}); !problem.Is(err, "not_enough_tickets") {
			t.Errorf("a third VIP = %v, want not_enough_tickets", err)
		}
		if _, err := s.changePool("E", "Hall", inventory.PoolPatch{Capacity: ptr(2)}); !problem.Is(err, "pool_below_sold") {
			t.Errorf("a hall of 2 with 2 sold and 1 blocked = %v, want pool_below_sold", err)
		}
		if _, _, err := s.take("E", inventory.Want{Section: "Adult", Row: inventory.GeneralAdmission, Quantity: 2}); err != nil {
			t.Fatalf("by section and row: %v", err)
		}
		s.told("the hall is full", "pool.exhausted listing.changed")
		expect("all sold", 0, 0, 0)
		if _, err := s.changePool("E", "Hall", inventory.PoolPatch{Blocked: ptr(0)}); err != nil {
			t.Fatal(err)
		}
		s.told("the place that was kept back is sold too", "pool.reopened listing.changed")
		expect("one more", 1, 0, 1)
		s.release(t, "E", two)
		s.told("VIPs come back", "listing.changed")
		expect("VIPs come back", 3, 2, 3)
	})
}

func TestTheLastPlaceOfASharedPoolComesBackFromWhoeverKeptItTooLong(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		if _, err := s.pool(inventory.PoolInput{Name: "Hall", Capacity: 1}); err != nil {
			t.Fatal(err)
		}
		adult := s.mustType(inventory.TypeInput{Name: "Adult", Pools: []string{"Hall"}})
		child := s.mustType(inventory.TypeInput{Name: "Child", Pools: []string{"Hall"}})
		h, err := s.hold(inventory.HoldInput{Event: "E", Want: inventory.Want{Type: adult.ID, Quantity: 1}})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.take("E", inventory.Want{Type: child.ID, Quantity: 1}); !problem.Is(err, "not_enough_tickets") {
			t.Errorf("a child for the place that an adult holds = %v, want not_enough_tickets", err)
		}
		s.age(t, h)
		if _, _, err := s.take("E", inventory.Want{Type: child.ID, Quantity: 1}); err != nil {
			t.Errorf("after the adult's time is up: %v", err)
		}
		s.audit(t)
	})
}

func TestTypesSayWhyTheyDoNotSell(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		soon, past := time.Date(2098, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2001, 1, 2, 3, 4, 5, 0, time.UTC)
		pairs := s.mustType(inventory.TypeInput{Name: "Pairs", Quantity: 9, MinPerOrder: 2, MaxPerOrder: 4})
		later := s.mustType(inventory.TypeInput{Name: "Later", Quantity: 9, OnSaleAt: soon})
		over := s.mustType(inventory.TypeInput{Name: "Over", Quantity: 9, OffSaleAt: past})
		coded := s.mustType(inventory.TypeInput{Name: "Friends", Quantity: 9, Code: "sesame"})
		paused := s.mustType(inventory.TypeInput{Name: "Paused", Quantity: 9, Status: inventory.Paused})
		for _, c := range []struct {
			want       inventory.Want
			code, says string
		}{
			{inventory.Want{Type: pairs.ID, Quantity: 1}, "quantity_not_allowed", "2 to 4"},
			{inventory.Want{Listing: pairs.Listing.ID, Quantity: 5}, "quantity_not_allowed", "2 to 4"},
			{inventory.Want{Type: later.ID, Quantity: 1}, "not_on_sale_yet", "2098-01-02T03:04:05.000Z"},
			{inventory.Want{Listing: later.Listing.ID, Quantity: 1}, "not_on_sale_yet", "2098"},
			{inventory.Want{Type: over.ID, Quantity: 1}, "sale_ended", "2001"},
			{inventory.Want{Type: coded.ID, Quantity: 1}, "access_code_wrong", "accessCode"},
			{inventory.Want{Type: coded.ID, Quantity: 1, Code: "open"}, "access_code_wrong", "accessCode"},
			{inventory.Want{Section: "Friends", Row: inventory.GeneralAdmission, Quantity: 1}, "access_code_wrong", "accessCode"},
			{inventory.Want{Type: paused.ID, Quantity: 1}, "listing_not_on_sale", "paused"},
			{inventory.Want{Type: "tty_x", Quantity: 1}, "ticket_type_not_found", "no such"},
		} {
			if _, _, err := s.take("E", c.want); !problem.Is(err, c.code) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Pick(%+v) = %v, want %s with %q", c.want, err, c.code, c.says)
			}
		}
		if _, _, err := s.take("E", inventory.Want{Type: coded.ID, Quantity: 1, Code: "sesame"}); err != nil {
			t.Errorf("with the code: %v", err)
		}
		if got := fmt.Sprint(pairs.Listing.Splits()); got != "[2 3 4]" {
			t.Errorf("Splits = %s, want [2 3 4]", got)
		}
		_, page, _, err := inventory.List(d.Read(t.Context()), house, inventory.Filter{Event: "E", Quantity: 5})
		if err != nil || slices.ContainsFunc(page, func(l inventory.Listing) bool { return l.Type == pairs.ID }) || len(page) != 3 {
			t.Errorf("the inventory that sells 5 = %d listings, %v; want 3, without Pairs", len(page), err)
		}
		s.audit(t)
	})
}

func TestTypesAreChecked(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		for pointer, in := range map[string]inventory.TypeInput{
			"/name":        {Quantity: 1},
			"/price":       {Name: "A", Quantity: 1, Price: "1.234"},
			"/faceValue":   {Name: "A", Quantity: 1, FaceValue: "x"},
			"/pools/0":     {Name: "A", Pools: []string{"nowhere"}},
			"/pools":       {Name: "A"},
			"/minPerOrder": {Name: "A", Quantity: 1, MinPerOrder: 21, MaxPerOrder: 20},
			"/maxPerOrder": {Name: "A", Quantity: 1, MinPerOrder: 5, MaxPerOrder: 4},
			"/perCustomer": {Name: "A", Quantity: 1, PerCustomer: -1},
			"/offSaleAt":   {Name: "A", Quantity: 1, OnSaleAt: time.Unix(9, 0), OffSaleAt: time.Unix(8, 0)},
			"/status":      {Name: "A", Quantity: 1, Status: inventory.Withdrawn},
		} {
			_, err := s.createType(in)
			if p := problem.As(err); p == nil || !slices.ContainsFunc(p.Fields, func(f problem.FieldError) bool { return f.Pointer == pointer }) {
				t.Errorf("CreateType(%+v) = %v, want a fault at %s", in, err, pointer)
			}
		}
		a := s.mustType(inventory.TypeInput{Name: "A", Quantity: 3, FaceValue: "50"})
		if _, err := s.createType(inventory.TypeInput{Name: "A", Quantity: 3}); !problem.Is(err, "ticket_type_exists") {
			t.Errorf("a second type A = %v, want ticket_type_exists", err)
		}
		if _, err := s.update(a.Listing.ID, inventory.Patch{Total: ptr(7)}); !problem.Is(err, "listing_of_ticket_type") {
			t.Errorf("changing its listing = %v, want listing_of_ticket_type", err)
		}
		b, err := s.changeType(a.ID, inventory.TypePatch{Version: a.Listing.Version, PerCustomer: ptr(2), Quantity: ptr(2)})
		if err != nil || b.PerCustomer != 2 || b.Limit() != 2 || b.Listing.Free() != 2 || b.FaceValue.String() != "50.00" {
			t.Errorf("UpdateType = %+v, %v", b, err)
		}
		if _, err := s.changeType(a.ID, inventory.TypePatch{Version: a.Listing.Version, PerCustomer: ptr(3)}); !problem.Is(err, "version_mismatch") {
			t.Errorf("a change for the version before = %v, want version_mismatch", err)
		}
		if _, _, err := s.take("E", inventory.Want{Type: a.ID, Quantity: 1}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.changeType(a.ID, inventory.TypePatch{Name: ptr("B")}); !problem.Is(err, "listing_has_sales") {
			t.Errorf("another name for what is sold = %v, want listing_has_sales", err)
		}
		for range 2 {
			s.write(t, func(tx *db.Tx) error { return s.stock.WithdrawType(tx, house, a.ID, 0) })
		}
		if public, err := inventory.Types(d.Read(t.Context()), house, "E", true); err != nil || len(public) != 0 {
			t.Errorf("the public sees %d types, %v; want none", len(public), err)
		}
		s.audit(t)
	})
}

// hallModel is the model of an event that sells by types only.
type hallModel struct {
	s         *store
	event     event.Event
	pools     []*hallPool
	types     []*hallType
	sales     []hallSale
	exhausted bool
}

type hallPool struct {
	name              string
	capacity, blocked int
	taken             int
}

type hallType struct {
	id     id.TicketType
	pools  []*hallPool
	limit  int // 0 for none
	sold   int
	held   int
	status inventory.Status // as asked for
}

type hallSale struct {
	of   *hallType
	n    int
	r    inventory.Return
	hold inventory.Hold // "" for an order
}

func (h *hallType) free() int {
	if h.status != inventory.Active {
		return 0
	}
	free := 1 << 30
	if h.limit > 0 {
		free = h.limit - h.sold - h.held
	}
	for _, p := range h.pools {
		free = min(free, p.capacity-p.blocked-p.taken)
	}
	return free
}

func (h *hallType) take(held, sold int) {
	h.held += held
	h.sold += sold
	for _, p := range h.pools {
		p.taken += held + sold
	}
}

// TestTypesAgreeWithTheirModel does at random whatever can be done to ticket types and their pools, and compares each step with a model in memory.
func TestTypesAgreeWithTheirModel(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		n := 0
		rapid.Check(t, func(t *rapid.T) {
			n++
			m := &hallModel{s: s, event: s.event(id.Event(fmt.Sprintf("H%d", n)))}
			t.Repeat(map[string]func(*rapid.T){
				"":        m.agree,
				"pool":    m.pool,
				"type":    m.newType,
				"order":   m.order,
				"hold":    m.hold,
				"end":     m.end,
				"resize":  m.resize,
				"limit":   m.limit,
				"status":  m.status,
				"convert": m.convert,
			})
			s.audit(t)
		})
	})
}

func (m *hallModel) pool(t *rapid.T) {
	if len(m.pools) == 3 {
		t.Skip("enough pools")
	}
	p := &hallPool{name: fmt.Sprint("P", len(m.pools)), capacity: rapid.IntRange(0, 6).Draw(t, "capacity")}
	m.s.write(t, func(tx *db.Tx) error {
		_, err := m.s.stock.CreatePool(tx, house, m.event.ID, inventory.PoolInput{Name: p.name, Capacity: p.capacity})
		return err
	})
	m.pools = append(m.pools, p)
}

func (m *hallModel) newType(t *rapid.T) {
	if len(m.types) == 4 || len(m.pools) == 0 {
		t.Skip("enough types, or no pool")
	}
	h := &hallType{limit: rapid.IntRange(0, 4).Draw(t, "limit"), status: rapid.SampledFrom([]inventory.Status{inventory.Active, inventory.Active, inventory.Paused}).Draw(t, "status")}
	in := inventory.TypeInput{Event: m.event.ID, Name: fmt.Sprint("T", len(m.types)), Quantity: h.limit, Status: h.status}
	for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(m.pools)-1), 1, min(2, len(m.pools)), rapid.ID[int]).Draw(t, "pools") {
		h.pools, in.Pools = append(h.pools, m.pools[i]), append(in.Pools, m.pools[i].name)
	}
	h.id = m.s.mustType(in).ID
	m.types = append(m.types, h)
}

func (m *hallModel) some(t *rapid.T) *hallType {
	if len(m.types) == 0 {
		t.Skip("no type")
	}
	return rapid.SampledFrom(m.types).Draw(t, "type")
}

// got tells whether n were to be had.
func (m *hallModel) got(t *rapid.T, h *hallType, n int, err error) bool {
	code := ""
	switch {
	case h.status != inventory.Active:
		code = "listing_not_on_sale"
	case n > h.free():
		code = "not_enough_tickets"
	}
	if code == "" && err != nil || code != "" && !problem.Is(err, code) {
		t.Fatalf("taking %d of %d of a type that is %s = %v, want %q", n, h.free(), h.status, err, code)
	}
	return code == ""
}

func (m *hallModel) order(t *rapid.T) {
	h, n := m.some(t), rapid.IntRange(1, 3).Draw(t, "quantity")
	r, _, err := m.s.take(m.event.ID, inventory.Want{Type: h.id, Quantity: n})
	if m.got(t, h, n, err) {
		h.take(0, n)
		m.sales = append(m.sales, hallSale{of: h, n: n, r: r})
	}
}

func (m *hallModel) hold(t *rapid.T) {
	h, n := m.some(t), rapid.IntRange(1, 3).Draw(t, "quantity")
	hold, err := m.s.hold(inventory.HoldInput{Event: m.event.ID, Want: inventory.Want{Type: h.id, Quantity: n}})
	if m.got(t, h, n, err) {
		h.take(n, 0)
		m.sales = append(m.sales, hallSale{of: h, n: n, hold: hold})
	}
}

func (m *hallModel) someSale(t *rapid.T) (hallSale, int) {
	if len(m.sales) == 0 {
		t.Skip("nothing sold or held")
	}
	i := rapid.IntRange(0, len(m.sales)-1).Draw(t, "sale")
	return m.sales[i], i
}

// end gives an order or a hold back.
func (m *hallModel) end(t *rapid.T) {
	one, i := m.someSale(t)
	m.sales = slices.Delete(m.sales, i, i+1)
	if one.hold.ID == "" {
		m.s.release(t, m.event.ID, one.r)
		one.of.take(0, -one.n)
		return
	}
	one.of.take(-one.n, 0)
	if rapid.Bool().Draw(t, "expires") {
		m.s.age(t, one.hold)
		m.s.sweep(t, m.event)
		return
	}
	if _, err := m.s.releaseHold(one.hold); err != nil {
		t.Fatalf("ReleaseHold: %v", err)
	}
}

func (m *hallModel) convert(t *rapid.T) {
	one, i := m.someSale(t)
	if one.hold.ID == "" {
		t.Skip("no hold")
	}
	r, err := m.s.convert(one.hold)
	if err != nil {
		t.Fatalf("convert: %v", err)
	}
	one.of.take(-one.n, one.n)
	m.sales[i] = hallSale{of: one.of, n: one.n, r: r}
}

func (m *hallModel) resize(t *rapid.T) {
	if len(m.pools) == 0 {
		t.Skip("no pool")
	}
	p := rapid.SampledFrom(m.pools).Draw(t, "pool")
	capacity, blocked := rapid.IntRange(0, 8).Draw(t, "capacity"), rapid.IntRange(0, 2).Draw(t, "blocked")
	_, err := m.s.changePool(m.event.ID, p.name, inventory.PoolPatch{Capacity: &capacity, Blocked: &blocked})
	switch {
	case p.taken+blocked > capacity:
		if !problem.Is(err, "pool_below_sold") {
			t.Fatalf("capacity %d, %d blocked, %d taken = %v, want pool_below_sold", capacity, blocked, p.taken, err)
		}
	case err != nil:
		t.Fatalf("UpdatePool: %v", err)
	default:
		p.capacity, p.blocked = capacity, blocked
	}
}

func (m *hallModel) limit(t *rapid.T) {
	h, n := m.some(t), rapid.IntRange(0, 6).Draw(t, "limit")
	_, err := m.s.changeType(h.id, inventory.TypePatch{Quantity: &n})
	switch {
	case h.status == inventory.Withdrawn && n != h.limit:
		if !problem.Is(err, "invalid_transition") && !problem.Is(err, "listing_below_sold") {
			t.Fatalf("limit of a withdrawn type = %v, want invalid_transition", err)
		}
	case n > 0 && n < h.sold+h.held:
		if !problem.Is(err, "listing_below_sold") {
			t.Fatalf("limit %d with %d sold and %d held = %v, want listing_below_sold", n, h.sold, h.held, err)
		}
	case err != nil:
		t.Fatalf("limit %d: %v", n, err)
	default:
		h.limit = n
	}
}

func (m *hallModel) status(t *rapid.T) {
	h := m.some(t)
	to := rapid.SampledFrom([]inventory.Status{inventory.Active, inventory.Active, inventory.Paused, inventory.Withdrawn}).Draw(t, "status")
	_, err := m.s.changeType(h.id, inventory.TypePatch{Status: &to})
	code := ""
	switch {
	case h.status == inventory.Withdrawn && to != h.status:
		code = "invalid_transition"
	case to == inventory.Withdrawn && h.held > 0 && h.status != to:
		code = "listing_held"
	}
	if code == "" && err != nil || code != "" && !problem.Is(err, code) {
		t.Fatalf("%s to %s with %d held = %v, want %q", h.status, to, h.held, err, code)
	}
	if code == "" {
		h.status = to
	}
}

// agree compares the model with the database, and the facts with the edges.
func (m *hallModel) agree(t *rapid.T) {
	types, err := inventory.Types(m.s.db.Read(m.s.t.Context()), house, m.event.ID, false)
	if err != nil || len(types) != len(m.types) {
		t.Fatalf("Types = %d, %v; want %d", len(types), err, len(m.types))
	}
	some, sold, held := false, 0, 0
	for i, h := range m.types {
		l := types[i].Listing
		want := h.status
		if want == inventory.Active && h.free() == 0 {
			want = inventory.SoldOut
		}
		if l.Held != h.held || l.Sold != h.sold || l.Free() != h.free() || l.Status != want {
			t.Fatalf("type %s has %d held, %d sold, %d free and is %s; want %d, %d, %d, %s", l.Section, l.Held, l.Sold, l.Free(), l.Status, h.held, h.sold, h.free(), want)
		}
		some = some || h.free() > 0
		sold, held = sold+h.sold, held+h.held
	}
	if got := m.s.free(t, m.event); (got > 0) != some {
		t.Fatalf("the event has %d free, and that some type has any is %v", got, some)
	}
	want := m.exhausted
	switch {
	case some:
		want = false
	case sold > 0 && held == 0:
		want = true
	}
	m.s.edges(t, m.exhausted, want, fmt.Sprintf("with something free %v, %d sold and %d held", some, sold, held))
	m.exhausted = want
}
