package replica

import (
	"testing"

	"krama"
	"krama/relay"
	"krama/seal"
)

// TestDigitsReadAloud: where two screens cannot be scanned, each side takes the other for whom the digits name and for
// nobody else.
func TestDigitsReadAloud(t *testing.T) {
	w := newSmallWorld(t)
	phone := w.device("phone")
	w.must(phone.Newcomer().Introduce(t.Context(), "relay"))
	inv, err := w.desk.Admin().Invite(t.Context(), phone.Newcomer().Scan1().String())
	w.must(err)
	w.must(phone.Newcomer().Accept(t.Context(), inv.Code.String()))
	last := func(d *device) string { all := digitsOf(d.Safety()); return all[len(all)-spoken:] }
	other := func(s string) string { return s[:spoken-1] + string('0'+('9'-s[spoken-1])) }
	own, office := last(phone), last(w.desk)
	for _, groups := range []string{"", own[1:], own + "0", other(own), office} {
		if err := inv.Spoken(groups); krama.KindOf(err) != krama.Tampered || inv.ByVoice {
			t.Errorf("%q for %q: %v", groups, own, err)
		}
	}
	w.must(inv.Spoken(own[:5] + " " + own[5:]))
	if ok, err := w.desk.Admin().Enrol(t.Context(), inv, krama.MemberID{1}, krama.RoleOutreach); !ok || err != nil ||
		!inv.ByVoice {
		t.Fatal(ok, err)
	}
	w.must(phone.Newcomer().Expect(other(office)))
	if ok, err := phone.Newcomer().Join(t.Context(), nil); ok || krama.KindOf(err) != krama.Tampered {
		t.Errorf("an office with other digits: %v %v", ok, err)
	}
	w.must(phone.Newcomer().Expect(office))
	if ok, err := phone.Newcomer().Join(t.Context(), nil); !ok || err != nil {
		t.Errorf("the office whose digits were read: %v %v", ok, err)
	}
}

// TestRosterLeadsToTheKeys: somebody who knows circle 0's earlier keys gives a new phone present ones of his own
// making, under which nothing was said yet. Everything in the roster is true, and still it does not lead to them.
func TestRosterLeadsToTheKeys(t *testing.T) {
	w := newSmallWorld(t)
	phone := w.device("phone")
	w.must(phone.Newcomer().Introduce(t.Context(), "relay"))
	inv, err := w.desk.Admin().Invite(t.Context(), phone.Newcomer().Scan1().String())
	w.must(err)
	w.must(phone.Newcomer().Accept(t.Context(), inv.Code.String()))
	if ok, err := w.desk.Admin().Enrol(t.Context(), inv, krama.MemberID{1}, krama.RoleOutreach); !ok || err != nil {
		t.Fatal(ok, err)
	}
	for range 2 { // before the phone comes
		w.must(w.desk.Admin().Rotate(t.Context(), krama.OrgCircle))
	}
	now := w.desk.led.streams[krama.OrgCircle].epoch
	mine := &seal.Epoch{Context: now.Context, ES: [32]byte{1}, KG: [32]byte{2}}
	id, pub := phone.led.dev.ID(), phone.led.dev.KEM.PublicKey().Bytes()
	b := seal.Bootstrap{Epoch: now.Epoch, EC: mine.EC(), GC: mine.GC()}
	for n := range now.Epoch {
		b.History = append(b.History, w.desk.led.streams[krama.OrgCircle].known[n].ES)
	}
	boot, err := seal.SealBootstrap(inv.Code.Org, id, pub, b)
	w.must(err)
	wrap, err := mine.Wrap(id, pub)
	w.must(err)
	asked := false
	phone.wire.twist = func(path string, call, answer []byte, err error) ([]byte, error) {
		c, e := seal.ParseCall(call)
		switch {
		case path == seal.PathBoxGet:
			return heldOf(seal.BoxItem(id, mine.EC(), wrap), boot), nil
		case path == seal.PathList && e == nil && seal.StreamID(c.Principal) == mine.StreamID():
			asked = true
			return seal.Listing{}.Marshal(), nil
		}
		return answer, err
	}
	if ok, err := phone.Newcomer().Join(t.Context(), nil); ok || krama.KindOf(err) != krama.Tampered || !asked {
		t.Errorf("with keys that no roster names: %v %v", ok, err)
	}
	phone.wire.twist = nil
	if ok, err := phone.Newcomer().Join(t.Context(), nil); !ok || err != nil {
		t.Errorf("after the lie, two rotations after it was enrolled: %v %v", ok, err)
	}
}

// TestRemovedAdminDropsNothing: an admin's device that was removed before an epoch was closed says, with the relay's
// help, that a record of it was dropped.
func TestRemovedAdminDropsNothing(t *testing.T) {
	w := newSmallWorld(t)
	a := w.phone()
	x := w.secondDesk()
	w.person(a)
	w.sync(a, w.desk, x)
	c := w.outreach(w.desk)
	e := w.desk.led.streams[c].epoch
	w.must(w.desk.Admin().RemoveDevice(t.Context(), x.led.dev.ID(), seal.ReasonLost, nil))
	w.sync(a, w.desk)
	if w.desk.led.streams[c].epoch.Epoch == e.Epoch {
		t.Fatal("the epoch is open: the test proves nothing")
	}
	late := w.device("phone")
	changed := false
	late.wire.twist = func(path string, call, answer []byte, err error) ([]byte, error) {
		asked, perr := seal.ParseCall(call)
		if path != seal.PathList || err != nil || perr != nil || seal.StreamID(asked.Principal) != e.StreamID() {
			return answer, err
		}
		l, perr := seal.ParseListing(answer)
		for i, b := range l.Entries {
			if env, v := e.Open(b); perr == nil && v == seal.Fine && !changed {
				l.Entries[i], perr = e.SealTombstone(x.cfg.Rand, seal.Tombstone{ID: env.ID, Author: env.Author,
					Seq: env.Seq, Prev: env.Prev}, x.led.dev.ID(), x.led.dev.Sig)
				changed = perr == nil
			}
		}
		return l.Marshal(), nil
	}
	w.enrol(late, krama.RoleOutreach)
	late.Sync(t.Context(), nil)
	if !changed || !late.has(AlarmUnauthorised) {
		t.Errorf("tried %v, alarms %v", changed, late.Status().Alarms)
	}
}

// TestOldCardsWithTheRelay: a relay that kept the mailbox of trustees who were replaced gives it to whoever brings
// their cards: nobody is made an admin by them.
func TestOldCardsWithTheRelay(t *testing.T) {
	w := newSmallWorld(t)
	old := w.trustees(2, 3)
	seed, err := seal.Combine([]seal.Share{old[0].Share, old[1].Share})
	w.must(err)
	key, err := seal.RecoveryKey(seed)
	w.must(err)
	box := seal.Mailbox(key.ID(), seal.KemHash(key.KEM.PublicKey().Bytes()))
	kept := w.box(relay.Trust, box)
	w.trustees(2, 3)
	w.setBox(relay.Trust, box, kept...)
	d := w.fresh()
	if err := d.Newcomer().Recover(t.Context(), old[:2], "", true, nil); krama.KindOf(err) != krama.Tampered ||
		d.State() != Fresh {
		t.Errorf("state %v, %v", d.State(), err)
	}
	if len(kept) == 0 {
		t.Error("the old mailbox was empty: the test proves nothing")
	}
}
