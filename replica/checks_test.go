package replica

import (
	"bytes"
	"context"
	"crypto/hpke"
	"net/http"
	"slices"
	"testing"
	"time"

	"krama"
	"krama/journal"
	"krama/seal"
)

// TestKeyringIsTheOneThatWasSigned: an epoch whose pages are not those of its signed root gives nobody a key, even when
// an admin's device, turned against the others, opened it.
func TestKeyringIsTheOneThatWasSigned(t *testing.T) {
	w := newSmallWorld(t)
	p := w.phone()
	w.person(p)
	w.sync(p, w.desk)
	c := w.outreach(w.desk)
	plan, err := w.desk.Admin().plan(c, nil, nil)
	w.must(err)
	plan.open.KeyringRoot[0] ^= 1
	ctx := context.Background()
	w.must(w.desk.Admin().upload(ctx, plan))
	id := plan.now.StreamID()
	w.must(w.desk.controlCall(ctx, seal.PathClose, seal.Frame(id[:], plan.open.Closes.Marshal())))
	w.must(w.desk.meeting().stateNow(ctx, plan.open))
	w.desk.Sync(ctx, nil) // it makes the new stream, or the phone would have nowhere to look
	w.desk.meeting().remake(ctx, c)
	if err := p.Sync(ctx, nil); krama.KindOf(err) != krama.Tampered || err == nil {
		t.Errorf("pages under another root: got %v want tampered", err)
	}
}

// watched writes down what a device does to its files.
type watched struct {
	*journal.MemDir
	gone []string
}

func (d *watched) Remove(name string) error {
	d.gone = append(d.gone, name)
	return d.MemDir.Remove(name)
}

// TestVaultGoesFirst: whoever empties a device destroys the vault before anything else: cut short there, the rest is
// noise.
func TestVaultGoesFirst(t *testing.T) {
	w := newSmallWorld(t)
	d := &watched{MemDir: w.desk.dir}
	w.must(Wipe(d))
	if len(d.gone) == 0 || d.gone[0] != vaultFile {
		t.Errorf("the first that goes is %q of %q", d.gone[:min(1, len(d.gone))], d.gone)
	}
	for _, name := range append(journalFiles(), nextFile, keysFile, decoyFile, leaseFile, passkeyFile, fieldFile) {
		if !slices.Contains(d.gone, name) {
			t.Errorf("%s stays", name)
		}
	}
	if has, _ := HasVault(w.desk.dir); has {
		t.Error("there is a vault still")
	}
}

// TestFirstKeyStands: a colleague who announces another key for somebody does not take her records away from the
// others.
func TestFirstKeyStands(t *testing.T) {
	w := newSmallWorld(t)
	a, b := w.phone(), w.phone()
	s := w.person(a)
	w.contact(a, s)
	w.sync(a, b, w.desk)
	c := w.outreach(b)
	key := b.led.keys[c][s]
	w.inject(b, c, b.led.header(c, seal.EnvContent), seal.Item{Subject: s, Kind: seal.KindSubjectKey,
		Body: make([]byte, 32)})
	w.sync(a)
	if a.led.keys[c][s] != key || !a.has(AlarmUnauthorised) {
		t.Errorf("her key was replaced, or nobody was told: alarms %v", a.Status().Alarms)
	}
	w.reopen(a)
	if a.led.keys[c][s] != key {
		t.Error("after a restart her key is another")
	}
}

// TestEmptyIsSaidByRemovedDevices: a device in use is not shown as empty, whatever its program says, nor one that said
// nothing.
func TestEmptyIsSaidByRemovedDevices(t *testing.T) {
	w := newSmallWorld(t)
	p, q := w.phone(), w.phone()
	w.sync(p, q)
	org := p.led.streams[krama.OrgCircle].epoch
	gone, err := seal.SealHandover(p.Rand, org, org, p.led.dev, seal.LetterWiped, nil)
	w.must(err)
	w.must(p.meeting().handOver(context.Background(), [][]byte{gone}))
	w.sync(w.desk)
	if len(w.desk.Admin().WipedDevices()) != 0 {
		t.Error("a phone in use is shown as empty")
	}
	w.must(w.desk.Admin().RemoveDevice(context.Background(), q.led.dev.ID(), seal.ReasonLost, nil))
	w.sync(w.desk)
	if len(w.desk.Admin().WipedDevices()) != 0 {
		t.Error("a removed phone that said nothing is shown as empty")
	}
}

// as appends what a device seals with another's keys of a circle: somebody outside it, with a colleague inside who
// helps.
func (w *world) as(d, inside *device, c krama.CircleID, timeMS uint64, it seal.Item) {
	w.t.Helper()
	h := inside.led.header(c, seal.EnvContent)
	h.Author, h.TimeMS = d.led.dev.ID(), timeMS
	h.Seq, h.Prev = 1, [32]byte{}
	st := inside.led.streams[c]
	wire, err := st.epoch.Seal(d.Rand, d.led.dev, h, []seal.Item{it}, nil)
	w.must(err)
	_, err = w.store.Append(context.Background(), st.epoch.StreamID(), nil, [][]byte{wire}, 1<<30)
	w.must(err)
}

// TestAuthorIsInTheCircle: a removed phone to which a colleague gives the new keys cannot make others believe that the
// office was there today.
func TestAuthorIsInTheCircle(t *testing.T) {
	w := newSmallWorld(t)
	a, q := w.phone(), w.phone()
	w.sync(w.desk, a, q)
	w.must(w.desk.Admin().RemoveDevice(context.Background(), q.led.dev.ID(), seal.ReasonTaken, nil))
	w.sync(w.desk, a)
	before := a.led.heartbeat
	w.now = w.now.Add(time.Hour)
	w.as(q, a, krama.OrgCircle, uint64(w.now.UnixMilli()), seal.Item{Kind: seal.KindHeartbeat})
	w.sync(a)
	if !a.led.heartbeat.Equal(before) {
		t.Error("a removed phone's sign counts")
	}
}

// TestTimesOfTheFuture: a sign of the office that is dated a year ahead does not hide for a year that the office is
// silent.
func TestTimesOfTheFuture(t *testing.T) {
	w := newSmallWorld(t)
	a, q := w.phone(), w.phone()
	w.sync(w.desk, a, q)
	w.as(q, q, krama.OrgCircle, uint64(w.now.Add(365*24*time.Hour).UnixMilli()), seal.Item{Kind: seal.KindHeartbeat})
	w.sync(a)
	if a.led.heartbeat.After(w.now) {
		t.Errorf("the last sign is of %v, and it is %v", a.led.heartbeat, w.now)
	}
	if a.Erasing().Seen(q.led.dev.ID()).After(w.now) {
		t.Error("a device was seen in the future")
	}
}

// TestReaderWritesNothing: what a device writes where it may only read is not shown, and everybody is told.
func TestReaderWritesNothing(t *testing.T) {
	w := newSmallWorld(t)
	a, b := w.phone(), w.phone()
	w.sync(w.desk, a, b)
	rec, err := (&krama.Record{ID: krama.RecordID{7}, Circle: &krama.Circle{Kind: krama.KindSafeguarding}}).Encode()
	w.must(err)
	before, purpose := len(b.events), b.led.kinds[krama.OrgCircle]
	w.as(a, a, krama.OrgCircle, uint64(w.now.UnixMilli()), seal.Item{Kind: seal.KindCircleRecord, Body: rec})
	w.sync(b)
	if len(b.events) != before || !b.has(AlarmUnauthorised) {
		t.Errorf("%d events, before %d; alarms %v", len(b.events), before, b.Status().Alarms)
	}
	if b.led.kinds[krama.OrgCircle] != purpose {
		t.Error("circle 0 was given another purpose")
	}
}

// TestRefusedStatementIsShown: a worker's statement changes nothing, now or after a restart, and everybody is told that
// she tried.
func TestRefusedStatementIsShown(t *testing.T) {
	w := newSmallWorld(t)
	a, b := w.phone(), w.phone()
	w.sync(w.desk, a, b)
	st := &seal.Statement{NotAfter: 1 << 40, Deed: &seal.MemberAdd{Member: krama.MemberID{99},
		Roles: krama.RoleOutreach}}
	w.inject(a, krama.OrgCircle, a.led.header(krama.OrgCircle, seal.EnvRoster), seal.Item{Kind: seal.KindStatement,
		Body: seal.StatementBody(st.Marshal())})
	w.sync(b)
	for _, when := range []string{"now", "after a restart"} {
		if b.led.roster.Members[krama.MemberID{99}] != nil || !b.has(AlarmUnauthorised) {
			t.Errorf("%s: it counts, or nobody is told: alarms %v", when, b.Status().Alarms)
		}
		w.reopen(b)
	}
}

// TestLettersAreTheirSenders: nobody writes a letter in an admin's name, and a worker's letter hands no control key on.
func TestLettersAreTheirSenders(t *testing.T) {
	w := newSmallWorld(t)
	p := w.phone()
	w.sync(w.desk, p)
	ctx, org, me := context.Background(), p.led.roster.Org, w.desk.led.dev.ID()
	pub := w.desk.led.roster.Devices[me].KemPub
	key, err := hpke.MLKEM768X25519().NewPublicKey(pub)
	w.must(err)
	st := (&seal.Statement{NotAfter: 1 << 40, Deed: &seal.ReleasePin{}}).Marshal()
	body := seal.Frame(st, me[:], seal.Cosign(p.led.dev.Sig, org, st))
	pt := seal.Frame(seal.Frame([]byte{byte(seal.LetterDraft)}, me[:], body, seal.Cosign(p.led.dev.Sig, org, body)),
		make([]byte, 2000))
	forged, err := hpke.Seal(key, hpke.HKDFSHA256(), hpke.ChaCha20Poly1305(), seal.Frame([]byte("krama/1 letter"),
		org[:], me[:]), pt)
	w.must(err)
	control, err := seal.SealLetter(org, p.led.dev, me, pub, seal.LetterControl, make([]byte, 32))
	w.must(err)
	before := slices.Clone(w.desk.led.controls)
	box := seal.Mailbox(me, seal.KemHash(pub))
	// as whoever runs the relay can: a worker's phone has no key for it
	w.must(w.desk.Admin().putBoxes(ctx, []seal.BoxPut{{Box: box, Item: forged}, {Box: box, Item: control}}))
	w.sync(w.desk)
	if len(w.desk.Admin().Mail()) != 0 {
		t.Error("a letter that somebody wrote in the admin's name is shown")
	}
	if !slices.Equal(w.desk.led.controls, before) {
		t.Error("a worker's letter changed the control key")
	}
}

// TestHandoverIsReadBackBeforeWiping: a removed phone that has something unsent does not empty itself for a relay that
// says it took the work and does not show it.
func TestHandoverIsReadBackBeforeWiping(t *testing.T) {
	w := newSmallWorld(t)
	p := w.phone()
	s := w.person(p)
	w.sync(p, w.desk)
	w.contact(p, s)
	w.must(w.desk.Admin().RemoveDevice(context.Background(), p.led.dev.ID(), seal.ReasonLeft, nil))
	p.wire.twist = func(path string, call, answer []byte, err error) ([]byte, error) {
		if path == seal.PathLeaveMine && err == nil {
			return seal.MarshalHeld(nil, 0, true), nil
		}
		return answer, err
	}
	p.Sync(context.Background(), nil)
	if has, _ := HasVault(p.dir); !has || p.Wiped() {
		t.Fatal("the phone is empty, and nobody has what was typed")
	}
	p.wire.twist = nil
	p.Sync(context.Background(), nil)
	if !p.Wiped() {
		t.Error("an honest relay shows it, and the phone is not empty")
	}
	w.sync(w.desk)
	if len(w.desk.Admin().Mail()) == 0 {
		t.Error("no letter of late work")
	}
}

// TestTravelTakesNothingUnsent: before a journey a phone is not emptied while a relay does not show what was typed.
func TestTravelTakesNothingUnsent(t *testing.T) {
	w := newSmallWorld(t)
	p := w.phone()
	s := w.person(p)
	w.sync(p, w.desk)
	w.contact(p, s)
	c := w.outreach(p)
	p.wire.twist = liar{w.stream(p, krama.KindOutreach), func(_ uint64, l *seal.Listing) {
		l.Head, l.Entries = p.led.streams[c].head, nil
	}}.answer
	if err := p.Admin().Travel(context.Background()); krama.KindOf(err) != krama.Conflict || err == nil {
		t.Errorf("got %v want conflict", err)
	}
	if has, _ := HasVault(p.dir); !has {
		t.Error("the phone is empty")
	}
}

// TestConfirmedWhenReadBack: what a relay says it took counts as sent when the stream shows it, not before.
func TestConfirmedWhenReadBack(t *testing.T) {
	w := newSmallWorld(t)
	p := w.phone()
	s := w.person(p)
	w.sync(p, w.desk)
	w.contact(p, s)
	p.wire.h = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == seal.PathAppend {
			rw.Write(make([]byte, 40)) // a relay that says yes and throws it away
			return
		}
		w.relay.ServeHTTP(rw, r)
	})
	p.Sync(context.Background(), nil)
	if n := p.Status().Unsent; n != 1 {
		t.Errorf("%d unsent at a relay that keeps nothing, want 1", n)
	}
	w.reopen(p)
	if n := p.Status().Unsent; n != 1 {
		t.Errorf("%d unsent after a restart, want 1", n)
	}
	p.wire.h = w.relay
	w.sync(p, w.desk)
	if n := p.Status().Unsent; n != 0 || len(w.desk.records()) != 2 {
		t.Errorf("%d unsent at an honest relay, and %d records at the office", n, len(w.desk.records()))
	}
}

// TestDraftsAreSealed: what is typed and not saved, and every setting, lies on the device as noise.
func TestDraftsAreSealed(t *testing.T) {
	w := newSmallWorld(t)
	p := w.phone()
	const typed = "behind the blue gate"
	w.must(p.SetValue(drafts.Of("/person/1/contact"), typed))
	for _, name := range append(journalFiles(), keysFile, vaultFile) {
		if f := p.dir.File(name); f != nil && bytes.Contains(f.Data, []byte(typed[7:])) {
			t.Errorf("%s holds what was typed", name)
		}
	}
	w.reopen(p)
	if p.Value(drafts.Of("/person/1/contact")) != typed {
		t.Error("the draft is gone: the test proves nothing")
	}
}
