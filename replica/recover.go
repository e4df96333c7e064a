package replica

import (
	"context"
	"encoding/hex"
	"slices"
	"time"

	"krama"
	"krama/seal"
)

// CoolOff is how long a recovered device waits while an admin may still be alive to say no.
const CoolOff = 72 * time.Hour

// SetTrustees draws a recovery key, splits it among n people of whom any k recover, and puts it in the roster. The
// cards exist in the answer and nowhere else. way tells whether the set holds already.
func (r Admin) SetTrustees(ctx context.Context, k, n int) (cards []seal.Card, way seal.Way, err error) {
	t, shares, err := seal.NewTrustees(r.Rand, k, n)
	if err != nil {
		return nil, 0, err
	}
	for _, s := range shares {
		r.mu.Lock()
		cards = append(cards, seal.Card{Share: s, Org: r.led.roster.Org, Relay: r.led.relay})
		r.mu.Unlock()
	}
	// Before the set is said: what is put into the new trustees' mailbox then has the people of these circles too.
	if err := r.openKeyrings(ctx); err != nil {
		return nil, 0, err
	}
	way, err = r.propose(ctx, func() (bool, seal.Deed) {
		return r.led.roster.Trustees == nil || r.led.roster.Trustees.Set != t.Set, t
	})
	if err != nil {
		return nil, 0, err
	}
	if way != seal.AtOnce {
		return cards, way, nil
	}
	return cards, way, r.Maintain(ctx)
}

// openKeyrings lets trustees open the people of every circle they can recover. The first version made circles before
// there were trustees and did not say so in them: without this, its programmes would come back without anybody's
// records.
func (r Admin) openKeyrings(ctx context.Context) error {
	r.mu.Lock()
	var closed []seal.CirclePolicy
	for c, ring := range r.led.roster.Circles {
		if c != krama.OrgCircle && ring.Recoverable && !ring.Keyring {
			p := seal.CirclePolicy(ring.CircleCreate)
			p.Keyring = true
			closed = append(closed, p)
		}
	}
	r.mu.Unlock()
	for _, p := range closed {
		if _, err := r.propose(ctx, func() (bool, seal.Deed) {
			return !r.led.roster.Circles[p.Circle].Keyring, &p
		}); err != nil {
			return err
		}
	}
	return nil
}

// ErrForgedCard is a card of the present set by its face that is not the one that was made.
var ErrForgedCard = krama.E("replica.CheckCard", krama.Tampered, "not the card that was made")

// CheckCard reports whether a card is one of the present trustees', and which. One of trustees who are announced is
// NotYet.
func (r Admin) CheckCard(text string) (x int, err error) {
	const op = "replica.CheckCard"
	c, err := seal.ParseCard(text)
	if err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.led.roster != nil && c.Org == r.led.roster.Org {
		for _, a := range r.led.roster.Announcements() {
			if t, ok := a.What.Deed.(*seal.TrusteesSet); ok && t.Holds(c.Share) {
				return 0, krama.E(op, krama.NotYet, "its trustees are announced")
			}
		}
	}
	switch {
	case r.led.roster == nil || r.led.roster.Trustees == nil || c.Org != r.led.roster.Org:
		return 0, krama.E(op, krama.NotFound, "a card of another programme")
	case r.led.roster.Trustees.Set != c.Share.Set:
		return 0, krama.E(op, krama.Tampered, "not a share of the present trustees")
	case !r.led.roster.Trustees.Holds(c.Share):
		return 0, ErrForgedCard
	}
	return int(c.Share.X), nil
}

// trusted is which trustees' key the relay keeps this programme's recovery under, and with which circles' keys.
var trusted = NewSetting(".trust", OfNobody)

// keepRecovery puts what the trustees' key opens into its mailbox, which does not expire, whenever an epoch or the set
// has changed, and once a week: no device can look into it, and somebody may have emptied it.
func (r Admin) keepRecovery(ctx context.Context) error {
	if err := r.hold(); err != nil {
		return err
	}
	t := r.led.roster.Trustees
	if _, roles := r.led.rolesLocked(); t == nil || roles&krama.RoleAdmin == 0 {
		r.mu.Unlock()
		return nil
	}
	var circles []krama.CircleID
	for c, ring := range r.led.roster.Circles {
		if ring.Recoverable {
			circles = append(circles, c)
		}
	}
	slices.SortFunc(circles, func(a, b krama.CircleID) int { return slices.Compare(a[:], b[:]) })
	circles = slices.DeleteFunc(circles, func(c krama.CircleID) bool {
		st, latest := r.led.streams[c], r.led.roster.Latest(c)
		return st == nil || latest == nil || st.known[latest.Epoch] == nil
	})
	// What is kept follows from the mark, so that it is sealed only when it is due.
	mark := append(t.Set[:], u32(uint32(krama.DayOf(r.Now())/7))...)
	if n := len(r.led.controls); n > 0 {
		mark = append(mark, controlName(r.led.controls[n-1])...)
	}
	for _, c := range circles {
		mark = append(append(mark, c[:4]...), u32(r.led.roster.Latest(c).Epoch)...)
		if r.led.roster.Circles[c].Keyring {
			mark = append(mark, 'k')
		}
	}
	key := hex.EncodeToString(mark)
	if r.led.values.of(trusted) == key {
		r.mu.Unlock()
		return nil
	}
	call, err := r.recoveryItems(t, circles)
	r.mu.Unlock()
	if err != nil {
		return err
	}
	if err := r.nameMembers(ctx); err != nil { // the trustees' key among them
		return err
	}
	if err := r.controlCall(ctx, seal.PathBoxKeep, call.Marshal()); err != nil {
		return err
	}
	return r.SetValue(trusted, key)
}

// recoveryItems seals for the trustees' mailbox what their key opens: the address, the control keys, and each circle's
// newest key. Called with the lock held.
func (r Admin) recoveryItems(t *seal.TrusteesSet, circles []krama.CircleID) (c seal.BoxItemsCall, err error) {
	c.Box = seal.Mailbox(t.ID(), seal.KemHash(t.KemPub))
	// As for a new device: circle 0's secrets are the way to the roster, which has every commitment.
	boot, err := seal.SealBootstrap(r.led.roster.Org, t.ID(), t.KemPub, r.bootstrap())
	if err != nil {
		return c, err
	}
	c.Items = [][]byte{boot}
	if len(r.led.controls) > 0 {
		var body []byte
		for _, seed := range r.led.controls {
			body = append(body, seed[:]...)
		}
		w, err := seal.SealLetter(r.led.roster.Org, r.led.dev, t.ID(), t.KemPub, seal.LetterControl, body)
		if err != nil {
			return c, err
		}
		c.Items = append(c.Items, w)
	}
	for _, id := range circles {
		latest := r.led.roster.Latest(id)
		w, err := r.led.streams[id].known[latest.Epoch].WrapRecovery(t, r.led.roster.Circles[id].Keyring)
		if err != nil {
			return c, err
		}
		c.Items = append(c.Items, seal.BoxItem(t.ID(), latest.EC, w))
	}
	return c, nil
}

// CoolingOff returns when this recovered device may act; zero when it may.
func (r Admin) CoolingOff() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.led.roster == nil || r.led.dev == nil {
		return time.Time{}
	}
	d := r.led.roster.Devices[r.led.dev.ID()]
	if d == nil || !d.Recovered || uint64(r.Now().UnixMilli()) >= d.CoolOff {
		return time.Time{}
	}
	return time.UnixMilli(int64(d.CoolOff))
}

// PinRelease says in the roster which release the programme runs. way tells whether it holds already.
func (r Admin) PinRelease(ctx context.Context, pin seal.ReleasePin) (way seal.Way, err error) {
	return r.propose(ctx, func() (bool, seal.Deed) {
		return r.led.roster.Release == nil || r.led.roster.Release.Manifest != pin.Manifest ||
				r.led.roster.Release.Phone != pin.Phone,
			&pin
	})
}
