package replica

import (
	"context"
	"testing"
	"time"

	"krama"
	"krama/seal"
)

// letter to a key the admin has destroyed; the phone wipes itself.
func TestHostileLateLetterStaleKEM(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a := w.phone()
	s := w.person(a)
	w.sync(a, w.desk)
	w.contact(a, s) // typed offline
	w.must(w.desk.Admin().RemoveDevice(ctx, a.led.dev.ID(), seal.ReasonLost, nil))
	w.now = w.now.Add(31 * 24 * time.Hour)
	w.sync(w.desk, w.desk)
	err := a.Sync(ctx, nil)
	w.sync(w.desk, w.desk)
	has, _ := HasVault(a.dir)
	t.Logf("leave: %v, vault there %v, mail at desk %d", err, has, len(w.desk.Admin().Mail()))
	if !has && len(w.desk.Admin().Mail()) == 0 {
		t.Error("LOST: the phone is wiped and nobody has its work")
	}
}

// hostile letter bricks the desk.
// hidden shreds in a late letter.
func TestHostileLetterShreds(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a, b := w.phone(), w.phone()
	s := w.person(b)
	w.contact(b, s)
	w.sync(b, a, w.desk)
	c := w.outreach(a)
	me := a.led.dev.ID()
	w.must(w.desk.Admin().RemoveDevice(ctx, me, seal.ReasonTaken, nil))
	w.must(a.meeting().readRoster(ctx, nothing))
	w.must(handLate(w, a, seal.Frame(c[:], me[:], s[:], []byte{byte(seal.KindShred)}, []byte{1})))
	w.sync(w.desk)
	w.must(w.desk.Admin().AcceptLate(w.desk.Admin().Mail()[0].ID))
	w.sync(w.desk, b)
	if _, ok := b.led.keys[c][s]; !ok {
		t.Error("a removed device's letter erased a person everywhere")
	}
}

// unknown kind stops every later sync of the desk.
func TestHostileLetterUnknownKind(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a := w.phone()
	w.sync(a, w.desk)
	c := w.outreach(a)
	me := a.led.dev.ID()
	w.must(w.desk.Admin().RemoveDevice(ctx, me, seal.ReasonTaken, nil))
	var zero krama.SubjectID
	w.must(handLate(w, a, seal.Frame(c[:], me[:], zero[:], []byte{99}, []byte{1})))
	w.sync(w.desk)
	if err := w.desk.Admin().AcceptLate(w.desk.Admin().Mail()[0].ID); krama.KindOf(err) != krama.NotAllowed ||
		err == nil ||
		len(w.desk.Admin().Mail()) != 1 {
		t.Errorf("what is not understood was filed: %v", err)
	}
	if err := w.desk.Sync(ctx, nil); err != nil {
		t.Error("the desk cannot sync any more:", err)
	}
	w.again(w.desk)
	if err := w.desk.Sync(ctx, nil); err != nil {
		t.Error("nor after a restart:", err)
	}
}

// plaintext of an erased person in letters.
func TestHostileLettersKeepErased(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a, b := w.phone(), w.phone()
	s := w.person(a)
	w.sync(a, b, w.desk)
	id := w.contact(b, s)
	w.must(w.desk.Admin().RemoveDevice(ctx, b.led.dev.ID(), seal.ReasonLeft, nil))
	b.Sync(ctx, nil)
	w.sync(w.desk, a, w.desk)
	w.must(w.desk.Erasing().Shred(krama.KindOutreach, s, ShredDanger))
	w.sync(w.desk, a)
	w.must(w.desk.Admin().Maintain(ctx))
	w.sync(a, w.desk, a, w.desk, a, w.desk)
	e := w.desk.Erasing().Erasures()
	for _, m := range w.desk.Admin().Mail() {
		for _, l := range lateOf(m) {
			if l.Record != nil && l.Record.ID == id && e[0].Complete() {
				t.Error("complete, and the desk's journal has her contact in a letter")
			}
		}
	}
}

// drafts of an erased person.
func TestHostileDrafts(t *testing.T) {
	w := newSmallWorld(t)
	a, b := w.phone(), w.phone()
	s := w.person(a)
	w.sync(a, b, w.desk)
	w.must(b.SetValue(drafts.Of("/person/"+s.String()+"/contact"), "note=PLAINTEXT"))
	other, list := w.person(a), testList
	w.must(b.SetValue(list, other.String()+"=2026-03-01 "+s.String()+"=2026-03-02"))
	w.must(b.SetValue(drafts.Of("/person/new"), "sid="+s.String()+"&gender=1"))
	w.must(a.Erasing().Shred(krama.KindOutreach, s, ShredDanger))
	w.sync(a, b)
	look := func(when string) {
		if b.Value(drafts.Of("/person/"+s.String()+"/contact")) != "" {
			t.Errorf("%s: the draft about an erased person stays in the journal", when)
		}
		if got := b.Value(list); got != other.String()+"=2026-03-01" {
			t.Errorf("%s: the list of the others is %q", when, got)
		}
		if b.Value(drafts.Of("/person/new")) != "" {
			t.Errorf("%s: the form that registered her stays", when)
		}
	}
	look("at once")
	w.again(b)
	look("after a restart")
}

func TestHostileManyLetters(t *testing.T) {
	w := newSmallWorld(t)
	a := w.phone()
	w.sync(a, w.desk)
	var bodies [][]byte
	for i := range 90 {
		b := make([]byte, 47<<10)
		b[0] = byte(i)
		bodies = append(bodies, b)
	}
	if err := handLate(w, a, bodies...); err != nil {
		t.Error("4 MiB of unsent work cannot be handed over:", err)
	}
}

func TestHostileDraftFromAnybody(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	a := w.phone()
	w.sync(a, w.desk)
	m := a.led.roster.Devices[a.led.dev.ID()].Member
	w.steals(a)
	w.must(a.Admin().Draft(ctx, &seal.MemberRole{Member: m, Roles: krama.RoleAdmin}))
	w.sync(w.desk)
	if len(w.desk.Admin().Mail()) == 0 {
		return
	}
	w.must(w.desk.Admin().Cosign(ctx, w.desk.Admin().Mail()[0].ID))
	w.sync(a)
	if a.led.roster.Members[m].Roles&krama.RoleAdmin != 0 {
		t.Error("an outreach worker's draft reached the admin and made her an admin")
	}
}

// a draft that was refused is filed as if it had been signed
func TestHostileDraftRefusedFiled(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	b := w.enrol(w.device("desk"), krama.RoleAdmin)
	w.sync(b, w.desk)
	c := w.outreach(w.desk)
	w.must(b.Admin().Draft(ctx, &seal.EpochGrant{Circle: c, Epoch: 0, Device: krama.DeviceID{5}}))
	w.sync(w.desk)
	if len(w.desk.Admin().Mail()) != 1 {
		t.Fatal(len(w.desk.Admin().Mail()))
	}
	err := w.desk.Admin().Cosign(ctx, w.desk.Admin().Mail()[0].ID)
	if err == nil && len(w.desk.Admin().Mail()) == 0 {
		t.Error("refused by the roster, filed as signed")
	}
}

func lateOf(m *Mail) []Late { l, _ := m.Late(); return l }

func handLate(w *world, a *device, bodies ...[]byte) error {
	c := w.outreach(a)
	var out [][]byte
	for _, b := range bodies {
		l, err := seal.SealHandover(a.Rand, a.led.streams[krama.OrgCircle].epoch, a.led.streams[c].epoch, a.led.dev,
			seal.LetterLate, b)
		if err != nil {
			return err
		}
		out = append(out, l)
	}
	return a.meeting().handOver(context.Background(), out)
}
