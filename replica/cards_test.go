package replica

import (
	"context"
	"errors"
	"maps"
	"testing"

	"krama"
	"krama/seal"
)

// TestA36WrongCardIsNamed gives wrong cards among right ones, and expects each named, for what it is, with nothing
// used.
func TestA36WrongCardIsNamed(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	a := w.phone()
	w.contact(a, w.person(a))
	w.sync(a, w.desk)
	old := w.trustees(3, 5)
	c := w.trustees(3, 5)
	w.sync(a, w.desk)
	want := w.desk.all()
	elsewhere := newSmallWorld(t).trustees(3, 5)
	forged := func(c seal.Card) seal.Card { c.Share.Y[7] ^= 1; return c }

	for name, tc := range map[string]struct {
		cards []seal.Card
		fault map[int]CardFault
		kind  krama.Kind
	}{
		"of an older set": {[]seal.Card{c[0], old[1], c[2]}, map[int]CardFault{1: CardOtherSet},
			krama.Invalid},
		"of another programme": {[]seal.Card{c[0], c[1], elsewhere[2]}, map[int]CardFault{2: CardElsewhere},
			krama.Invalid},
		"the same twice": {[]seal.Card{c[0], c[1], c[0]}, map[int]CardFault{2: CardRepeated},
			krama.Invalid},
		"one of each": {[]seal.Card{c[0], old[1], elsewhere[2]}, map[int]CardFault{0: CardDoubted,
			1: CardDoubted, 2: CardElsewhere}, krama.Invalid},
		"two and two": {[]seal.Card{c[0], c[1], old[2], old[3]}, map[int]CardFault{0: CardDoubted,
			1: CardDoubted, 2: CardDoubted, 3: CardDoubted}, krama.Invalid},
		"false, among as many": {[]seal.Card{c[0], forged(c[1]), c[2]}, map[int]CardFault{0: CardDoubted,
			1: CardDoubted, 2: CardDoubted}, krama.NotFound},
		"false, with one more": {[]seal.Card{c[0], forged(c[1]), c[2], c[3]}, map[int]CardFault{1: CardForged},
			krama.Tampered},
		"false first": {[]seal.Card{forged(c[4]), c[1], c[2], c[3]}, map[int]CardFault{0: CardForged},
			krama.Tampered},
		"two false, with two more": {[]seal.Card{forged(c[0]), c[1], forged(c[2]), c[3], c[4]},
			map[int]CardFault{0: CardForged, 2: CardForged}, krama.Tampered},
		"false and right of a number": {[]seal.Card{c[0], forged(c[1]), c[1], c[2]}, map[int]CardFault{1: CardForged},
			krama.Tampered},
		"too few": {c[:2], nil, krama.Invalid},
	} {
		d := w.fresh()
		err := d.Newcomer().Recover(ctx, tc.cards, "", true, nil)
		var got *WrongCards
		if errors.As(err, &got); krama.KindOf(err) != tc.kind || err == nil || (tc.fault != nil) != (got != nil) ||
			got != nil && !maps.Equal(got.Fault, tc.fault) {
			t.Errorf("%s: got %v %+v want %v %v", name, err, got, tc.kind, tc.fault)
		}
		if d.State() != Fresh || d.led.roster != nil {
			t.Errorf("%s: something was used", name)
		}
	}
	w.desk.Close()
	d := w.fresh()
	// more than are needed, all right
	w.must(d.Newcomer().Recover(ctx, []seal.Card{c[4], c[0], c[2], c[1]}, "", true, nil))
	w.have(want, d)
}

// TestA36DrillTellsAForgedCard: the desk has the commitments, and says which card was changed and which is old.
func TestA36DrillTellsAForgedCard(t *testing.T) {
	w := newSmallWorld(t)
	old := w.trustees(2, 3)
	c := w.trustees(2, 3)
	bad := c[0]
	bad.Share.Y[0] ^= 1
	if _, err := w.desk.Admin().CheckCard(bad.String()); !errors.Is(err, ErrForgedCard) {
		t.Errorf("a forged card: %v", err)
	}
	if _, err := w.desk.Admin().CheckCard(old[0].String()); krama.KindOf(err) != krama.Tampered ||
		errors.Is(err, ErrForgedCard) {
		t.Errorf("an old card: %v", err)
	}
	text := []byte(c[0].String())
	text[5] ^= 'A' ^ 'B' ^ 'C' ^ 'D' // mistyped
	if _, err := seal.ParseCard(string(text)); err == nil && string(text) != c[0].String() {
		t.Error("a mistyped card was taken")
	}
}
