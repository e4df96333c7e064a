package replica

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"krama"
	"krama/seal"
)

// TestSpeaksOneAtATime: a desk meets the relay by itself while a person removes a phone at it, over a line that takes
// its time. Nothing is said twice, in one place or after it is moot: that would be an alarm on every device, or the end
// of this one as a copy of itself.
func TestSpeaksOneAtATime(t *testing.T) {
	w := newSmallWorld(t)
	other := w.phone()
	w.desk.wire.gate = func(path string) error {
		if path == seal.PathAppend {
			time.Sleep(time.Millisecond)
		}
		return nil
	}
	for range 8 {
		p := w.phone()
		w.now = w.now.Add(25 * time.Hour) // a heartbeat is due
		var both sync.WaitGroup
		both.Go(func() {
			if err := w.desk.Admin().RemoveDevice(t.Context(), p.led.dev.ID(), seal.ReasonLost, nil); err != nil &&
				krama.KindOf(err) != krama.Conflict {
				t.Error(err)
			}
		})
		both.Go(func() {
			for range 3 {
				if err := w.desk.Sync(t.Context(), nil); err != nil && krama.KindOf(err) != krama.Conflict {
					t.Error(err)
				}
				if err := w.desk.Admin().Maintain(t.Context()); err != nil && krama.KindOf(err) != krama.Conflict {
					t.Error(err)
				}
			}
		})
		both.Wait()
		w.sync(w.desk)
		w.must(w.desk.Admin().Maintain(t.Context()))
		w.sync(other)
		if al := append(w.desk.Status().Alarms, other.Status().Alarms...); len(al) > 0 {
			t.Fatalf("alarms %+v", al)
		}
	}
}

// TestDraftWhoseTimeIsOver: a draft that the roster would refuse by now is not said: an honest admin's signature is no
// alarm.
func TestDraftWhoseTimeIsOver(t *testing.T) {
	w := newWorld(t)
	second := w.enrol(w.device("desk"), krama.RoleAdmin)
	w.sync(w.desk, second)
	a := w.phone()
	var m krama.MemberID
	w.desk.Roster(func(ro *seal.Roster) { m = ro.Devices[a.led.dev.ID()].Member })
	ask := &seal.MemberRole{Member: m, Roles: krama.RoleSafeguarding}
	w.must(w.desk.Admin().Draft(t.Context(), ask))
	w.sync(second)
	w.must(w.desk.Admin().RemoveMember(t.Context(), m, nil))
	for _, x := range second.Admin().Mail() {
		st, ok := x.Statement()
		if !ok {
			continue
		}
		if _, role := st.Deed.(*seal.MemberRole); role {
			if err := second.Admin().Cosign(t.Context(), x.ID); krama.KindOf(err) != krama.NotAllowed {
				t.Errorf("signed: %v", err)
			}
		}
	}
	w.sync(w.desk, second)
	for _, d := range []*device{w.desk, second} {
		for _, al := range d.Status().Alarms {
			t.Errorf("alarm %s", al.What)
		}
	}
}

// TestLedgerForgets: of when a member erased people the newest few are kept, and they decide as all of them would.
func TestLedgerForgets(t *testing.T) {
	l, m := newBounds(), krama.MemberID{1}
	var all []uint64
	for range 3000 {
		at := uint64(rand.IntN(40)) * uint64(time.Hour.Milliseconds()) * 10
		n := 0
		for _, x := range all {
			if x+uint64(day.Milliseconds()) > at {
				n++
			}
		}
		took := l.takes(m, at)
		if took != (n < erasuresADay) {
			t.Fatalf("took %v after %d", took, n)
		}
		if took {
			all = append(all, at)
		}
		if len(l.alone[m]) > erasuresADay {
			t.Fatalf("%d kept", len(l.alone[m]))
		}
		if len(all) > 0 && rand.IntN(50) == 0 { // another member's day
			l, all = newBounds(), nil
		}
	}
}
