package replica

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"krama"
	"krama/seal"
)

// CardFault says what is wrong with one trustee's card.
type CardFault byte

// Faults of a card, in the order in which they can be known. A mistyped one never comes here: its text carries a
// checksum.
const (
	CardRepeated  CardFault = iota + 1 // the same card twice
	CardElsewhere                      // of another programme than the others
	CardOtherSet                       // of earlier trustees, or of others than the rest
	// of the present set by its face, and not the one that was made: the roster has its commitment
	CardForged
	CardDoubted // one of those that are doubted is wrong, and nobody can know which
)

// WrongCards is why cards recover nothing, named by their places among those that were given. Nothing was done with
// them.
type WrongCards struct {
	Fault map[int]CardFault // by place, from 0
	Err   error             // with its kind
}

// Error implements error.
func (w *WrongCards) Error() string {
	var out []string
	for _, i := range w.Places() {
		out = append(out, fmt.Sprint(i+1))
	}
	return fmt.Sprintf("%v (cards %s)", w.Err, strings.Join(out, ", "))
}

// Unwrap returns the cause.
func (w *WrongCards) Unwrap() error { return w.Err }

// Places are the wrong cards' places, in order.
func (w *WrongCards) Places() (out []int) {
	for i := range w.Fault {
		out = append(out, i)
	}
	slices.Sort(out)
	return out
}

// CompareCards finds what the cards' faces tell, without a relay: repeated ones, and those of another programme or
// another set than most. Where as many say one thing as another, all are doubted. It returns nil or a *WrongCards of
// kind Invalid.
func CompareCards(cards []seal.Card) error {
	w := &WrongCards{map[int]CardFault{}, krama.E("replica.Recover", krama.Invalid,
		"cards that do not belong together")}
	// The programme first: a card of another one has another set too, and its holder is to hear the right reason.
	differ(cards, w, CardElsewhere, func(c seal.Card) any { return c.Org })
	differ(cards, w, CardOtherSet, func(c seal.Card) any {
		return [6]byte(append(c.Share.Set[:], c.Share.K, c.Share.N))
	})
	for i, c := range cards {
		if slices.ContainsFunc(cards[:i], func(o seal.Card) bool { return o.Share == c.Share && o.Org == c.Org }) {
			w.Fault[i] = CardRepeated
		}
	}
	if len(w.Fault) == 0 {
		return nil
	}
	return w
}

// differ gives a fault to the cards that say something else than most of those without one.
func differ(cards []seal.Card, w *WrongCards, f CardFault, says func(seal.Card) any) {
	votes := map[any]int{}
	for i, c := range cards {
		if w.Fault[i] == 0 {
			votes[says(c)]++
		}
	}
	most, ties := 0, 0
	for _, n := range votes {
		if n > most {
			most, ties = n, 0
		}
		if n == most {
			ties++
		}
	}
	for i, c := range cards {
		switch {
		case w.Fault[i] != 0 || len(votes) < 2:
		case ties > 1:
			w.Fault[i] = CardDoubted
		case votes[says(c)] < most:
			w.Fault[i] = f
		}
	}
}

// maxTries bounds how many groups of k cards are tried when more were given.
// Each costs a call to the relay. Five cards of which three are needed make ten groups.
const maxTries = 200

// groups lists the groups of k cards with different numbers, at most maxTries.
func groups(cards []seal.Card, k int) (out [][]seal.Share) {
	var pick func(from int, have []seal.Share)
	pick = func(from int, have []seal.Share) {
		if len(have) == k {
			out = append(out, slices.Clone(have))
			return
		}
		for i := from; i < len(cards) && len(out) < maxTries; i++ {
			s := cards[i].Share
			if !slices.ContainsFunc(have, func(o seal.Share) bool { return o.X == s.X }) {
				pick(i+1, append(have, s))
			}
		}
	}
	pick(0, nil)
	return out
}

// recovered is what trustees' cards open at a relay.
type recovered struct {
	key    *seal.Device
	items  [][]byte // of the trustees' mailbox
	epochs []*seal.Epoch
	roster *seal.Roster
}

// openCards recombines the trustees' key and reads what it opens, then compares every card with its commitment in the
// roster. The commitments are sealed, so before k right cards are together nobody can tell a well-made card that is
// false from a right one: with more than k cards every group of k is tried, and the false one is named by the roster;
// with k alone, all are doubted. Nothing of this device or the programme has changed when it returns.
func (r Newcomer) openCards(ctx context.Context, cards []seal.Card) (got recovered, err error) {
	const op = "replica.Recover"
	if err := CompareCards(cards); err != nil {
		return got, err
	}
	if len(cards) == 0 || len(cards) < int(cards[0].Share.K) {
		return got, krama.E(op, krama.Invalid, "too few cards")
	}
	for _, shares := range groups(cards, int(cards[0].Share.K)) {
		seed, e := seal.Combine(shares)
		if e != nil {
			return got, e
		}
		// NotFound says that this group opens nothing. Anything else is no word on the cards: a broken line must not
		// accuse one.
		if got, err = r.openTrustees(ctx, cards[0].Org, seed); krama.KindOf(err) != krama.NotFound || err == nil {
			break
		}
	}
	w := &WrongCards{map[int]CardFault{}, err}
	for i, c := range cards {
		switch {
		case err != nil:
			w.Fault[i] = CardDoubted
		case got.roster.Trustees == nil || got.roster.Trustees.Set != c.Share.Set:
			w.Fault[i] = CardOtherSet
		case !got.roster.Trustees.Holds(c.Share):
			w.Fault[i] = CardForged
		}
	}
	switch {
	case krama.KindOf(err) == krama.NotFound && err != nil:
		return got, w
	case err == nil && len(w.Fault) > 0:
		w.Err = krama.E(op, krama.Tampered, "a card is not of the programme's present trustees")
		return got, w
	}
	return got, err
}

// openTrustees reads the trustees' mailbox with the key of a seed, and the roster that it leads to. Where it leads to
// none it is NotFound.
func (r Newcomer) openTrustees(ctx context.Context, org krama.OrgID, seed [32]byte) (got recovered, err error) {
	const op = "replica.Recover"
	key, err := seal.RecoveryKey(seed)
	if err != nil {
		return got, err
	}
	kem := seal.KemHash(key.KEM.PublicKey().Bytes())
	r.mu.Lock()
	trustees := r.caller(org)
	r.mu.Unlock()
	list, err := held(func(after seal.After) ([]byte, error) {
		return trustees.call(ctx, key.Sig, seal.PathBoxGet, [16]byte(key.ID()),
			seal.BoxGetCall{Pub: key.SigPub(), Nonce: key.Nonce, Kem: kem, After: after}.Marshal())
	})
	if krama.KindOf(err) == krama.NotAllowed && err != nil {
		list, err = nil, nil // the relay knows no such trustees
	}
	if err != nil {
		return got, err
	}
	got = recovered{key: key}
	for _, h := range list {
		got.items = append(got.items, h.Body)
	}
	err = krama.E(op, krama.NotFound, "these cards open nothing at this relay: a wrong card, or too old a backup")
	for _, it := range got.items { // anybody can seal one to the trustees' key: the one that leads to a roster is it
		boot, e := seal.OpenBootstrap(org, key, it)
		if e != nil {
			continue
		}
		for _, wrap := range seal.FindWraps(got.items, key.ID(), boot.EC) {
			ep, e := seal.OpenWrapRecovery(seal.Context{Org: org, Epoch: boot.Epoch}, key, wrap, boot.EC, boot.GC)
			if e != nil {
				continue
			}
			none := func(seal.EpochOpen) *seal.Epoch { return nil } // their mailbox is made anew with every epoch
			if list, ro, e := r.tryRoster(ctx, org, orgEpochs(boot, ep), none); e == nil {
				got.epochs, got.roster, err = list, ro, nil
			} else if got.roster == nil {
				err = e
			}
		}
	}
	return got, err
}

// Recover makes this Fresh device an admin's of a programme whose devices are gone, from k trustees' cards and what the
// relay holds. total says that no admin is left; otherwise the device waits CoolOff before it may act, so that a living
// admin can remove it.
func (r Newcomer) Recover(ctx context.Context, cards []seal.Card, relay string, total bool,
	progress func(Progress)) error {
	const op = "replica.Recover"
	if r.State() != Fresh {
		return krama.E(op, krama.Conflict, "this device belongs to a programme already")
	}
	if progress == nil {
		progress = nothing
	}
	if len(cards) == 0 {
		return krama.E(op, krama.Invalid, "too few cards")
	}
	if relay == "" {
		relay = cards[0].Relay
	}
	org := cards[0].Org
	r.mu.Lock()
	r.dial(relay)
	r.mu.Unlock()
	got, err := r.openCards(ctx, cards)
	if err != nil {
		return err
	}
	key, items, epochs, roster := got.key, got.items, got.epochs, got.roster
	// Until here nothing was kept: wrong cards leave the device as it was.
	if err := r.takeOrg(org, relay, epochs); err != nil {
		return err
	}
	if err := r.readRoster(ctx, progress); err != nil {
		return err
	}
	for _, it := range items {
		l, sig, err := seal.OpenLetter(org, key, it)
		if err != nil || l.Kind != seal.LetterControl {
			continue
		}
		// Anybody can seal a letter to the trustees' key: the keys in it count from a device of somebody who is an
		// admin.
		from := roster.Devices[l.From]
		if from == nil || roster.Members[from.Member].Roles&krama.RoleAdmin == 0 || !l.Check(org, key.ID(),
			from.Request.SigPub, sig) {
			continue
		}
		r.mu.Lock()
		err = r.takeControl(l.Body)
		r.mu.Unlock()
		if err != nil {
			return err
		}
	}
	req, err := r.request()
	if err != nil {
		return krama.Wrap(op, err)
	}
	use := &seal.RecoveryUse{Device: req}
	if !total {
		use.CoolOff = uint64(r.Now().Add(CoolOff).UnixMilli())
	}
	if _, err := io.ReadFull(r.Rand, use.Member[:]); err != nil {
		return krama.Wrap(op, err)
	}
	// Others may speak first, and each try needs a statement of its own: it is void past the place that it is for
	// (doc/format.md, 5).
	for range 16 {
		r.mu.Lock()
		st, err := seal.NewStatement(r.Rand, r.led.roster.At().N+1, use)
		r.mu.Unlock()
		if err != nil {
			return err
		}
		raw := st.Marshal()
		body := seal.StatementBody(raw, seal.Cosignature{Device: key.ID(), Sig: seal.Cosign(key.Sig, org, raw)})
		if err = r.speak(ctx, seal.EnvRoster, seal.Item{Kind: seal.KindStatement, Body: body}); err == nil {
			break
		} else if krama.KindOf(err) != krama.Conflict {
			return err
		}
		if err := r.readRoster(ctx, progress); err != nil {
			return err
		}
	}
	if r.State() != Enrolled {
		return krama.E(op, krama.NotAllowed, "the roster refused the trustees' signature")
	}
	if err := (Admin{r.meeting}).nameMembers(ctx); err != nil { // itself: it reads its mailbox next
		return err
	}
	r.mu.Lock()
	// Circles that the programme has kept from its trustees stay shut: their keys are in no mailbox of theirs.
	for c, ring := range r.led.roster.Circles {
		e := r.led.roster.Latest(c)
		if c == krama.OrgCircle || !ring.Recoverable || e == nil {
			continue
		}
		for _, w := range seal.FindWraps(items, key.ID(), e.EC) {
			ep, err := seal.OpenWrapRecovery(seal.Context{Org: org, Circle: c, Epoch: e.Epoch}, key, w, e.EC, e.GC)
			if err != nil {
				continue
			}
			if err := r.takeEpoch(ep); err != nil {
				r.mu.Unlock()
				return err
			}
			break
		}
	}
	r.mu.Unlock()
	return r.sync(ctx, progress)
}
