package directory

import (
	"bytes"
	"strings"
	"testing"

	"krama"
)

// TestShelterHasNoAddress: whatever a record says, and whoever wrote it with which program, nobody but named staff sees
// where a shelter is, and they only from the record that their circle alone holds.
func TestShelterHasNoAddress(t *testing.T) {
	key := krama.ListingID{1}
	e := &Entry{Listing: krama.Listing{Key: key, Kind: krama.KindShelter, Operator: 1, Public: true,
		Org: krama.Words{EN: "o"}, Name: krama.Words{EN: "n"},
		Address: krama.Words{EN: "behind the blue gate"}, Shown: krama.TierPublic, Phones: []krama.Phone{{Number: "111",
			Use: 1, Tier: krama.TierPublic}, {Number: "222", Use: 1}}}}
	for _, tier := range []krama.Tier{krama.TierPublic, krama.TierPartner, krama.TierNamed} {
		v, ok := e.For(tier, today)
		if !ok || !v.Address.Empty() || v.Shown != 0 {
			t.Errorf("tier %d sees %+v", tier, v.Address)
		}
		if len(v.Phones) != 1 {
			t.Errorf("tier %d sees %d numbers, want the one that is for everybody", tier, len(v.Phones))
		}
	}
	b, err := NewDoor([]*Entry{e}, today, [16]byte{1}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("blue gate")) {
		t.Error("the door holds a shelter's address")
	}
	e.Guarded = &krama.Guarded{Key: key, Address: krama.Words{EN: "behind the red gate"}}
	for tier, want := range map[krama.Tier]string{krama.TierPublic: "", krama.TierPartner: "",
		krama.TierNamed: "behind the red gate"} {
		if v, _ := e.For(tier, today); v.Address.EN != want {
			t.Errorf("tier %d sees %q, want %q", tier, v.Address.EN, want)
		}
	}
}

// TestDoorOfWrongShape: what is not a door of this version, is too large, or offers an intake nobody can write to, is
// not shown.
func TestDoorOfWrongShape(t *testing.T) {
	good := Intake{Circle: krama.KindCasework, Kem: make([]byte, 1216), Sig: make([]byte, 32), From: 1, Until: 2}
	short, unsigned, past := good, good, good
	short.Kem, unsigned.Sig, past.Until = short.Kem[:1215], nil, 0
	for name, tc := range map[string]struct {
		door Door
		want krama.Kind
	}{"an intake without a key": {Door{Version: 1, Intakes: []Intake{short}}, krama.Invalid},
		"an intake that nobody answers for":    {Door{Version: 1, Intakes: []Intake{unsigned}}, krama.Invalid},
		"an intake that ends before it begins": {Door{Version: 1, Intakes: []Intake{past}}, krama.Invalid},
		"a later version":                      {Door{Version: 2}, krama.NotYet}} {
		b, err := tc.door.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeDoor(b); err == nil || krama.KindOf(err) != tc.want {
			t.Errorf("%s: got %v want %v", name, err, tc.want)
		}
	}
	var many []*Entry // as many as may be imported, each with texts as long as they may be in Khmer
	for i := range 1000 {
		words := func(n int) krama.Words { return krama.Words{KM: strings.Repeat("ក", n)} }
		many = append(many, &Entry{Listing: krama.Listing{Key: krama.ListingID{1, byte(i), byte(i >> 8)},
			Kind: krama.KindService, Operator: krama.OperatorNGO, Public: true, Name: words(krama.MaxName),
			Org:   words(krama.MaxName),
			About: words(krama.MaxAbout), Bring: words(krama.MaxName), Asked: words(krama.MaxName),
			Address: words(krama.MaxName), Shown: krama.TierPublic}})
	}
	if b, err := NewDoor(many, 20000, [16]byte{}).Encode(); err != nil {
		t.Errorf("a thousand listings: %v", err)
	} else if d, err := DecodeDoor(b); err != nil || len(d.Listings) != 1000 {
		t.Errorf("a thousand listings, read: %v", err)
	}
	if _, err := NewDoor(append(many, many[0]), 20000, [16]byte{}).Encode(); krama.KindOf(err) != krama.TooLarge {
		t.Errorf("one more: %v", err)
	}
	if _, err := DecodeDoor(make([]byte, MaxDoor+1)); krama.KindOf(err) != krama.TooLarge {
		t.Errorf("larger than a door may be: %v", err)
	}
}

// TestOneIntakeIsOffered: of a circle's intakes the newest that is open is offered, and none before or after its days.
func TestOneIntakeIsOffered(t *testing.T) {
	in := func(id byte, k krama.CircleKind, from, until krama.Day) Intake {
		return Intake{Circle: k, ID: [16]byte{id}, From: from, Until: until, Place: make([]byte, 16)}
	}
	d := &Door{Intakes: []Intake{in(1, krama.KindCasework, today-40, today-1), in(2, krama.KindCasework, today-20,
		today+5), in(3, krama.KindCasework, today-3, today+30),
		in(4, krama.KindCasework, today+9, today+40), in(5, krama.KindSafeguarding, today+1, today+2),
		// whose id commits to no key
		{Circle: krama.KindCasework, ID: [16]byte{6}, From: today - 1, Until: today + 30}}}
	got := d.Offered(today)
	if len(got) != 2 || got[0].ID[0] != 3 || got[1].ID[0] != 5 {
		t.Errorf("got %+v", got)
	}
}
