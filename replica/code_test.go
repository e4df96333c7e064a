package replica

import (
	"context"
	"errors"
	"testing"
	"time"

	"krama"
	"krama/relay"
)

// TestA29CodesLiveTenMinutes lets each side's code grow old, with clocks that are wrong by a year.
func TestA29CodesLiveTenMinutes(t *testing.T) {
	ctx := context.Background()
	year := 365 * 24 * time.Hour
	for _, skew := range []time.Duration{0, year, -year} {
		w := newSmallWorld(t)
		phone := w.device("phone")
		phone.Now = func() time.Time { return w.now.Add(skew) }
		w.must(phone.Newcomer().Introduce(ctx, "relay"))
		first := phone.Newcomer().Scan1()
		w.now = w.now.Add(9 * time.Minute)
		w.must(phone.Newcomer().Introduce(ctx, "relay")) // the page is drawn again
		if phone.Newcomer().Scan1() != first || phone.Newcomer().CodeLeft() != time.Minute {
			t.Fatalf("after nine minutes: %v left", phone.Newcomer().CodeLeft())
		}
		inv, err := w.desk.Admin().Invite(ctx, first.String())
		w.must(err)
		w.now = w.now.Add(CodeLife - time.Second)
		w.must(phone.Newcomer().Introduce(ctx, "relay"))
		if phone.Newcomer().Scan1() == first {
			t.Error("the phone shows the same code after ten minutes")
		}
		if phone.Newcomer().Scan1().RequestHash != first.RequestHash {
			t.Error("another request")
		}
		// the office's is not old yet, and it had scanned the one before
		w.must(phone.Newcomer().Accept(ctx, inv.Code.String()))
		w.now = w.now.Add(time.Second)
		late, err := w.desk.Admin().Enrol(ctx, inv, krama.MemberID{1}, krama.RoleOutreach)
		if late || !errors.Is(err, ErrLate) || inv.Left(w.now) != 0 {
			t.Errorf("a proof for a code of ten minutes: %v %v", late, err)
		}
		if w.desk.led.roster.Devices[phone.led.dev.ID()] != nil {
			t.Error("the device was enrolled all the same")
		}
		again, err := w.desk.Admin().Invite(ctx, phone.Newcomer().Scan1().String())
		w.must(err)
		if again.Code.Secret == inv.Code.Secret {
			t.Error("the same secret")
		}
		w.must(phone.Newcomer().Accept(ctx, again.Code.String()))
		w.now = w.now.Add(CodeLife - time.Second)
		if ok, err := w.desk.Admin().Enrol(ctx, again, krama.MemberID{1}, krama.RoleOutreach); !ok || err != nil {
			t.Errorf("in time: %v %v", ok, err)
		}
	}
}

// TestA29OldCodeIsEmptyAtTheRelay scans a picture of a phone's code after its time.
func TestA29OldCodeIsEmptyAtTheRelay(t *testing.T) {
	ctx := context.Background()
	w := newSmallWorld(t)
	phone := w.device("phone")
	w.must(phone.Newcomer().Introduce(ctx, "relay"))
	picture := phone.Newcomer().Scan1().String()
	for range 4 { // the phone goes on showing its code
		w.now = w.now.Add(CodeLife / 2)
		w.must(phone.Newcomer().Introduce(ctx, "relay"))
	}
	w.now = w.now.Add(relay.DefaultLimits.DropKeep - CodeLife/2)
	if inv, err := w.desk.Admin().Invite(ctx, picture); krama.KindOf(err) != krama.NotFound || err == nil {
		t.Errorf("got %v %v want not found", inv, err)
	}
	if keep := relay.DefaultLimits.DropKeep; keep < CodeLife || keep > 3*CodeLife/2 {
		t.Errorf("the relay keeps a drop for %v", keep)
	}
}

// TestA29SecondAdminTakesLonger finishes an enrolment whose proof was seen in time and whose second signature was not.
func TestA29SecondAdminTakesLonger(t *testing.T) {
	inv := &Invitation{made: time.Unix(0, 0), proof: make([]byte, 64)}
	if ok, err := inv.answered(nil, time.Unix(0, 0).Add(48*time.Hour)); !ok || err != nil {
		t.Errorf("got %v %v", ok, err)
	}
}

// TestA29RestartedPhone draws another code when a program that was started again cannot tell how old its own is.
func TestA29RestartedPhone(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct {
		move time.Duration
		same bool
	}{{5 * time.Minute, true}, {CodeLife, false}, {-time.Hour, false}} {
		w := newSmallWorld(t)
		phone := w.device("phone")
		w.must(phone.Newcomer().Introduce(ctx, "relay"))
		was := phone.Newcomer().Scan1()
		w.must(phone.Close())
		phone.cfg.Now = func() time.Time { return w.now.Add(c.move) } // the phone's clock alone; the relay's stands
		r, err := Unlock(phone.cfg, words)
		w.must(err)
		phone.Replica = r
		w.must(phone.Newcomer().Introduce(ctx, "relay"))
		if (phone.Newcomer().Scan1() == was) != c.same {
			t.Errorf("after %v: the same code %v, want %v", c.move, !c.same, c.same)
		}
	}
}
