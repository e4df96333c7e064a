package replica

import (
	"context"
	"testing"
	"time"

	"krama"
	"krama/seal"
)

// fresh makes a new device at the same relay.
func (w *world) fresh() *device {
	d := w.device("desk")
	d.Office, d.cfg.Office = true, true
	return d
}

func TestRecoveryAfterTotalLoss(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	a := w.phone()
	s := w.person(a)
	w.contact(a, s)
	w.sync(a, w.desk)
	cards := w.trustees(2, 3)
	w.contact(a, s)
	w.sync(a)
	w.must(w.desk.Admin().Rotate(ctx, w.outreach(w.desk))) // the new epoch is wrapped to the trustees too
	w.contact(a, s)
	w.sync(a, w.desk)
	want := w.desk.all()
	// Every device burns; nobody comes for a year.
	a.Close()
	w.desk.Close()
	w.now = w.now.Add(365 * 24 * time.Hour)
	w.must(w.store.Sweep(ctx, w.now))

	for _, subset := range [][]int{{0, 1}, {0, 2}, {1, 2}, {2, 0}} {
		var held []seal.Card
		for _, i := range subset {
			c, err := seal.ParseCard(cards[i].String())
			w.must(err)
			held = append(held, c)
		}
		d := w.fresh()
		w.must(d.Newcomer().Recover(ctx, held, "", true, nil))
		w.have(want, d)
		w.noAlarm(d)
		// It is an admin's device and can go on: new phone, old ones out.
		for _, old := range []*device{w.desk, a} {
			id := krama.DeviceID{}
			d.Roster(func(ro *seal.Roster) {
				for x, dev := range ro.Devices {
					if dev.Removed == 0 && x != d.led.dev.ID() {
						id = x
					}
				}
			})
			_ = old
			if id != (krama.DeviceID{}) {
				w.must(d.Admin().RemoveDevice(ctx, id, seal.ReasonLost, nil))
			}
		}
		w.must(d.Admin().Maintain(ctx))
		w.desk = d
		b := w.phone()
		w.have(want, b)
		w.contact(b, s)
		w.sync(b, d)
		want = d.all()
		w.noAlarm(b, d)
		b.Close()
		d.Close()
	}
	for i := range cards { // k-1 never
		d := w.fresh()
		if err := d.Newcomer().Recover(ctx, cards[i:i+1], "", true, nil); krama.KindOf(err) != krama.Invalid {
			t.Errorf("one card alone: %v", err)
		}
	}
	bad := cards[0]
	bad.Share.Y[3] ^= 1
	if err := w.fresh().Newcomer().Recover(ctx, []seal.Card{bad, cards[1]}, "", true,
		nil); krama.KindOf(err) != krama.NotFound {
		t.Errorf("a forged share: %v", err)
	}
}

func TestTrusteesChange(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	a := w.phone()
	s := w.person(a)
	w.sync(a, w.desk)
	old := w.trustees(2, 3)
	if x, err := w.desk.Admin().CheckCard(old[1].String()); err != nil || x != 2 {
		t.Errorf("a trustee's card: %d, %v", x, err)
	}
	fresh := w.trustees(3, 5)
	if due := w.desk.Admin().Due(); len(due) != 0 {
		t.Errorf("circles are still wrapped to the old set: %v", due)
	}
	w.contact(a, s)
	w.sync(a, w.desk)
	if err := w.fresh().Newcomer().Recover(ctx, old[:2], "", true, nil); err == nil {
		// What the old cards opened once, a relay that kept it gives them still; what came since must stay closed.
		t.Error("the old trustees recover what came after them")
	}
	if _, err := w.desk.Admin().CheckCard(old[0].String()); krama.KindOf(err) != krama.Tampered {
		t.Errorf("an old card is taken: %v", err)
	}
	d := w.fresh()
	w.must(d.Newcomer().Recover(ctx, []seal.Card{fresh[4], fresh[0], fresh[2]}, "", true, nil))
	w.have(w.desk.all(), d)
}

// TestRecoveryVeto: while an admin lives, a recovered device waits, everybody sees it, and she can say no.
func TestRecoveryVeto(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	a := w.phone()
	w.person(a)
	w.sync(a, w.desk)
	cards := w.trustees(2, 2)
	d := w.fresh()
	w.must(d.Newcomer().Recover(ctx, cards, "", false, nil))
	if err := d.Admin().RemoveDevice(ctx, w.desk.led.dev.ID(), seal.ReasonLost,
		nil); krama.KindOf(err) != krama.NotAllowed {
		t.Errorf("a recovered device acts before its time: %v", err)
	}
	w.sync(a)
	seen := false
	a.Roster(func(ro *seal.Roster) { seen = ro.Devices[d.led.dev.ID()].Recovered })
	if !seen {
		t.Error("a colleague does not see the recovery")
	}
	w.sync(w.desk)
	w.must(w.desk.Admin().RemoveDevice(ctx, d.led.dev.ID(), seal.ReasonCloned, nil))
	if err := d.Sync(ctx, nil); err == nil || !d.Wiped() {
		t.Errorf("the refused device goes on: %v", err)
	}
	// And without a veto it may act when the time has come.
	e := w.fresh()
	w.must(e.Newcomer().Recover(ctx, cards, "", false, nil))
	w.now = w.now.Add(73 * time.Hour)
	w.sync(e)
	w.must(e.Admin().RemoveDevice(ctx, a.led.dev.ID(), seal.ReasonLost, nil))
}

// TestTrusteesMailboxIsFilledAgain has somebody with the programme's control key empty what the trustees need.
func TestTrusteesMailboxIsFilledAgain(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	worker := w.phone()
	w.contact(worker, w.person(worker))
	w.sync(worker, w.desk)
	cards := w.trustees(2, 3)
	w.sync(worker, w.desk)
	tr := worker.led.roster.Trustees
	box := seal.Mailbox(tr.ID(), seal.KemHash(tr.KemPub))
	w.must(w.desk.controlCall(ctx, seal.PathBoxKeep, seal.Frame(box[:])))
	if err := w.fresh().Newcomer().Recover(ctx, cards[:2], "", true, nil); krama.KindOf(err) != krama.NotFound {
		t.Fatalf("the mailbox is not empty: %v; the test proves nothing", err)
	}
	w.now = w.now.Add(7 * 24 * time.Hour)
	w.sync(w.desk)
	w.must(w.desk.Admin().Maintain(ctx))
	d := w.fresh()
	w.must(d.Newcomer().Recover(ctx, cards[:2], "", true, nil))
	w.have(w.desk.all(), d)
}
