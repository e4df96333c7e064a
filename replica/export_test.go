package replica

import (
	"context"
	"testing"
	"time"

	"krama"
	"krama/seal"
)

// TestA33OnePersonAloneWaitsADay: a lone admin's export is shown on every device for a day, and can be taken back from
// another of hers; a phone never has leave, and leave ends.
func TestA33OnePersonAloneWaitsADay(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a := w.phone()
	ask := func(d *device, may bool, way seal.Way) {
		t.Helper()
		if got, gotWay, err := d.Admin().AskExport(ctx); got != may || gotWay != way || err != nil {
			t.Errorf("may %v, way %d, %v; want %v, %d", got, gotWay, err, may, way)
		}
	}
	ask(w.desk, false, seal.AfterDay)
	ask(w.desk, false, seal.AfterDay) // asking again does not begin again
	w.sync(a)
	if got := a.Status().Announced; len(got) != 1 || got[0].What.Type != "export" {
		t.Fatalf("a worker's phone shows %+v", got)
	}
	w.now = w.now.Add(seal.Delay - time.Hour)
	ask(w.desk, false, seal.AfterDay)
	w.must(w.desk.Admin().Withdraw(ctx, w.desk.Status().Announced[0].ID))
	w.now = w.now.Add(2 * time.Hour)
	ask(w.desk, false, seal.AfterDay) // taken back: the day begins anew
	w.now = w.now.Add(seal.Delay + time.Hour)
	ask(w.desk, true, seal.AtOnce)
	if may, _, err := a.Admin().AskExport(ctx); may || err == nil {
		t.Errorf("a worker has leave: %v %v", may, err)
	}
	w.now = w.now.Add(seal.ExportFor)
	ask(w.desk, false, seal.AfterDay)
	w.noAlarm(a, w.desk)
}

// TestA33TwoAdmins: where there are two, one cannot, however long she waits; with the other's signature both can.
func TestA33TwoAdmins(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	b := w.enrol(w.device("desk"), krama.RoleCoordinator)
	var m krama.MemberID
	w.desk.Roster(func(ro *seal.Roster) { m = ro.Devices[b.led.dev.ID()].Member })
	w.must(w.desk.Admin().SetRoles(ctx, m, krama.RoleCoordinator|krama.RoleAdmin, nil))
	w.tomorrow()
	w.sync(b, w.desk)
	if got := w.desk.led.roster.AdminsNeeded(); got != 2 {
		t.Fatalf("%d admins can sign, want 2", got)
	}
	if may, way, err := w.desk.Admin().AskExport(ctx); may || way != seal.BySecond || err != nil {
		t.Fatalf("may %v, way %d, %v", may, way, err)
	}
	w.now = w.now.Add(3 * seal.Delay)
	w.sync(b, w.desk)
	w.must(w.desk.Admin().Maintain(ctx))
	if w.desk.led.roster.MayExport(w.desk.led.dev.ID(), w.now) {
		t.Fatal("one of two admins has leave after three days")
	}
	var drafts [][32]byte
	for _, m := range b.Admin().Mail() {
		if st, ok := m.Statement(); ok && st.Plain().Type == "export" {
			drafts = append(drafts, m.ID)
		}
	}
	if len(drafts) != 1 {
		t.Fatalf("the second admin sees %d drafts", len(drafts))
	}
	w.must(b.Admin().Cosign(ctx, drafts[0]))
	w.sync(w.desk)
	for i, d := range []*device{w.desk, b} {
		if may, way, err := d.Admin().AskExport(ctx); !may || way != seal.AtOnce || err != nil {
			t.Errorf("admin %d, after both signed: %v %d %v", i, may, way, err)
		}
	}
	w.noAlarm(w.desk, b)
}
