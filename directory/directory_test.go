package directory

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"krama"
	"krama/directory/starter"
)

const today = krama.Day(20600)

// secret marks every text that must not leave its tier.
const (
	secretNamed   = "NAMEDONLY"
	secretPartner = "PARTNERONLY"
)

// random draws any directory a device can hold: whatever validates.
func random(t *rapid.T) []*Entry {
	f := NewFold(nil)
	for i := range rapid.IntRange(1, 12).Draw(t, "listings") {
		key := krama.ListingID{1, byte(i)}
		l := &krama.Listing{Key: key, Kind: rapid.Uint8Range(1, 3).Draw(t, "kind"), Org: krama.Words{EN: "o"},
			Name:     krama.Words{KM: "n"},
			Operator: rapid.SampledFrom([]uint8{1, 2, 3, 5}).Draw(t, "operator"), Needs: krama.Set(rapid.Uint64Range(0,
				255).Draw(t, "needs") << 1),
			Public: rapid.Bool().Draw(t, "public"), Closed: rapid.IntRange(0, 9).Draw(t, "closed") == 0, Source: "s"}
		for range rapid.IntRange(0, 3).Draw(t, "phones") {
			if rapid.Bool().Draw(t, "partner") {
				l.Phones = append(l.Phones, krama.Phone{Number: "900 " + "111", Use: 1, Tier: krama.TierPartner})
			} else {
				l.Phones = append(l.Phones, krama.Phone{Number: "012 345", Use: 1, Tier: krama.TierPublic})
			}
		}
		if l.Kind != krama.KindShelter && rapid.Bool().Draw(t, "address") {
			l.Address, l.Shown = krama.Words{EN: "open street"}, krama.TierPublic
			if rapid.Bool().Draw(t, "hidden address") {
				l.Address, l.Shown = krama.Words{EN: secretPartner}, krama.TierPartner
			}
		}
		g := &krama.Guarded{Key: key, Address: krama.Words{EN: secretNamed}, Phones: []krama.Phone{{Number: "999 999",
			Use: 1, Tier: krama.TierNamed}}}
		recs := []*krama.Record{{ID: krama.RecordID{2, byte(i)}, Listing: l}, {ID: krama.RecordID{3, byte(i)},
			Guarded: g}}
		for c := range rapid.IntRange(0, 3).Draw(t, "checks") {
			recs = append(recs, &krama.Record{ID: krama.RecordID{4, byte(i), byte(c)}, Check: &krama.Check{Key: key,
				Day: today - krama.Day(rapid.IntRange(0, 300).Draw(t, "ago")), Says: rapid.Uint8Range(1,
					4).Draw(t, "says")}})
		}
		for _, r := range recs {
			if _, err := r.Encode(); err != nil {
				t.Fatalf("drawn record: %v", err)
			}
			f.Take(r, krama.DeviceID{})
		}
	}
	return f.Entries()
}

// TestTiersNeverLeak: over random directories, nothing of a narrower tier is in a wider one's views, door or its bytes.
func TestTiersNeverLeak(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := random(t)
		d := NewDoor(all, today, [16]byte{1})
		b, err := d.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeDoor(b)
		if err != nil {
			t.Fatal(err)
		}
		j, _ := json.Marshal(back.Views(today))
		for _, out := range [][]byte{b, j} {
			for _, s := range []string{secretNamed, secretPartner, "999 999", "900 111"} {
				if bytes.Contains(out, []byte(s)) {
					t.Fatalf("the door holds %s", s)
				}
			}
		}
		for _, e := range all {
			if v, ok := e.For(krama.TierPartner, today); ok {
				j, _ := json.Marshal(v)
				if bytes.Contains(j, []byte(secretNamed)) || bytes.Contains(j, []byte("999 999")) {
					t.Fatal("a partner sees what is for named staff")
				}
			}
			v, ok := e.For(krama.TierNamed, today)
			number := slices.ContainsFunc(v.Phones, func(p krama.Phone) bool { return p.Number == "999 999" })
			if want := e.Address.EN; !ok || !number || want == "" && v.Address.EN != secretNamed || want != "" &&
				v.Address.EN != want {
				t.Fatalf("named staff see less than they may: %q, the guarded number %v", v.Address.EN, number)
			}
			if v, ok := e.For(krama.TierPublic, today); ok && (!v.Public || v.Closed || v.Kind == krama.KindShelter &&
				!v.Address.Empty()) {
				t.Fatal("the public sees what is not published")
			}
		}
	})
}

// TestDoorCutsAgain: a door that a broken desk filled with too much shows no more than the public may see.
func TestDoorCutsAgain(t *testing.T) {
	l := krama.Listing{Key: krama.ListingID{1}, Kind: krama.KindService, Org: krama.Words{EN: "o"},
		Name: krama.Words{EN: "n"}, Operator: 1, Public: true,
		Address: krama.Words{EN: secretPartner}, Shown: krama.TierPartner, Phones: []krama.Phone{{Number: "999 999",
			Use: 1, Tier: krama.TierNamed}, {Number: "111", Use: 1, Tier: krama.TierPublic}}}
	shelter := l
	shelter.Key, shelter.Kind = krama.ListingID{2}, krama.KindShelter
	closed := l
	closed.Closed = true
	b, err := (&Door{Version: 1, Listings: []Shown{{Listing: l}, {Listing: shelter}, {Listing: closed}}}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	d, err := DecodeDoor(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Listings) != 2 {
		t.Fatalf("got %d listings want 2", len(d.Listings))
	}
	for _, s := range d.Listings {
		if !s.Listing.Address.Empty() || len(s.Listing.Phones) != 1 {
			t.Errorf("got %+v", s.Listing)
		}
	}
	if _, err := DecodeDoor([]byte{0xff}); krama.KindOf(err) != krama.Invalid {
		t.Errorf("got %v want invalid", err)
	}
}

// TestShelterAddressIsRefused: the record itself cannot be made.
func TestShelterAddressIsRefused(t *testing.T) {
	l := krama.Listing{Key: krama.ListingID{1}, Kind: krama.KindShelter, Org: krama.Words{EN: "o"},
		Name: krama.Words{EN: "n"}, Operator: 1}
	for _, tier := range []krama.Tier{krama.TierPublic, krama.TierPartner, krama.TierNamed} {
		x := l
		x.Address, x.Shown = krama.Words{EN: "a street"}, tier
		if err := x.Validate(); err == nil {
			t.Errorf("tier %d: a shelter's address was taken", tier)
		}
	}
	l.Kind, l.Phones = krama.KindService, []krama.Phone{{Number: "123", Use: 1, Tier: krama.TierNamed}}
	if err := l.Validate(); krama.KindOf(err) != krama.NotAllowed {
		t.Errorf("got %v want not allowed", err)
	}
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		name   string
		checks []krama.Check
		want   Status
	}{
		{"nobody verified it", nil, Unverified},
		{"verified today", []krama.Check{{Day: today, Says: krama.CheckTrue}}, Fresh},
		{"verified by a clock a year ahead", []krama.Check{{Day: today + 365, Says: krama.CheckTrue}}, Unverified},
		{"wrong, and true by a clock a year ahead", []krama.Check{{Day: today - 9, Says: krama.CheckTrue},
			{Day: today - 1, Says: krama.CheckWrong}, {Day: today + 365, Says: krama.CheckTrue}}, Hidden},
		{"its last day", []krama.Check{{Day: today - MaxAge, Says: krama.CheckTrue}}, Fresh},
		{"expired", []krama.Check{{Day: today - MaxAge - 1, Says: krama.CheckTrue}}, Stale},
		{"expired long ago", []krama.Check{{Day: today - MaxAge - grace - 1, Says: krama.CheckTrue}}, Hidden},
		{"found wrong in the field", []krama.Check{{Day: today - 9, Says: krama.CheckTrue},
			{Day: today - 1, Says: krama.CheckDoubt}}, Doubted},
		{"and verified again", []krama.Check{{Day: today - 9, Says: krama.CheckTrue},
			{Day: today - 3, Says: krama.CheckDoubt}, {Day: today - 1, Says: krama.CheckTrue}}, Fresh},
		{"found wrong on the day it was verified", []krama.Check{{Day: today, Says: krama.CheckTrue},
			{Day: today, Says: krama.CheckDoubt}}, Doubted},
		{"found wrong by who verifies", []krama.Check{{Day: today - 9, Says: krama.CheckTrue},
			{Day: today - 1, Says: krama.CheckWrong}}, Hidden},
		{"never verified, and found wrong", []krama.Check{{Day: today - 1, Says: krama.CheckDoubt}}, Hidden},
	} {
		e := &Entry{Listing: krama.Listing{Public: true}}
		for _, k := range c.checks {
			e.Checks = append(e.Checks, Found{Check: k})
		}
		e.fold()
		if got := e.Status(today); got != c.want {
			t.Errorf("%s: got %d want %d", c.name, got, c.want)
		}
	}
}

// TestAnswers: five at most, of the need and place, the verified first, the police last unless they are asked for.
func TestAnswers(t *testing.T) {
	var all []View
	add := func(n byte, op uint8, st Status, districts ...uint16) {
		all = append(all, View{Listing: krama.Listing{Key: krama.ListingID{n}, Operator: op,
			Needs: krama.Set(0).With(krama.NeedHurt).With(krama.NeedPolice), Districts: districts}, Status: st})
	}
	add(1, krama.OperatorPolice, Fresh)
	add(2, krama.OperatorNGO, Stale)
	add(3, krama.OperatorNGO, Fresh, 1001, 1002)
	add(4, krama.OperatorHealth, Fresh, 1002)
	add(5, krama.OperatorHealth, Fresh, 1005)
	add(6, krama.OperatorNGO, Hidden)
	add(7, krama.OperatorNGO, Unverified)
	got := Answers(all, krama.NeedHurt, 1002)
	want := []byte{4, 3, 7, 2, 1}
	if len(got) != len(want) {
		t.Fatalf("got %d answers want %d", len(got), len(want))
	}
	for i, v := range got {
		if v.Key[0] != want[i] {
			t.Errorf("answer %d: got %d want %d", i, v.Key[0], want[i])
		}
	}
	if got := Answers(all, krama.NeedPolice, 0); got[0].Operator == krama.OperatorPolice && got[0].Status != Fresh ||
		len(got) != 5 {
		t.Errorf("got %+v", got)
	}
	if got := Answers(all, krama.NeedMoney, 0); len(got) != 0 {
		t.Errorf("got %d answers to a need nobody answers", len(got))
	}
}

// TestStarter: only what a source was found for is public, and the labels that are copied wrongly everywhere are not
// there.
func TestStarter(t *testing.T) {
	all, err := starter.Load()
	if err != nil {
		t.Fatal(err)
	}
	keys := map[krama.ListingID]bool{}
	for _, l := range all {
		if keys[l.Key] {
			t.Errorf("two listings with one key: %s", l.Name.EN)
		}
		keys[l.Key] = true
		text := strings.ToLower(l.Name.EN + " " + l.Org.EN + " " + l.About.EN)
		for _, p := range l.Phones {
			switch p.Number {
			case "1280":
				if !strings.Contains(text, "child helpline") || strings.Contains(text, "cncc") ||
					l.Operator != krama.OperatorNGO {
					t.Errorf("1280 is %q", l.Name.EN)
				}
			case "1288", "023 997 919", "117":
				if l.Operator != krama.OperatorPolice || strings.Contains(text, "helpline") {
					t.Errorf("%s is the police, got %q", p.Number, l.Name.EN)
				}
			}
		}
		if l.Public && (len(l.Phones) == 0 || l.Phones[0].Number != "1280") {
			t.Errorf("%s is public and not sourced", l.Name.EN)
		}
	}
	f := NewFold(all)
	if d := NewDoor(f.Entries(), today, [16]byte{}); len(d.Listings) != 1 || d.Views(today)[0].Status != Unverified {
		t.Errorf("got %d public listings want 1, unverified", len(d.Listings))
	}
	if due := Due(f.Entries(), today); len(due) != len(all) {
		t.Errorf("got %d to verify want %d", len(due), len(all))
	}
}

// TestFoldOrder: the same records in any order give the same entries; two versions of one both stand.
func TestFoldOrder(t *testing.T) {
	l := krama.Listing{Key: krama.ListingID{1}, Kind: 1, Org: krama.Words{EN: "o"}, Name: krama.Words{EN: "first"},
		Operator: 1}
	a, b := l, l
	a.Name.EN, a.Replaces = "a", []krama.RecordID{{1}}
	b.Name.EN, b.Replaces = "b", []krama.RecordID{{1}}
	recs := []*krama.Record{{ID: krama.RecordID{1}, Listing: &l}, {ID: krama.RecordID{2}, Listing: &a},
		{ID: krama.RecordID{3}, Listing: &b}}
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}} {
		f := NewFold(nil)
		for _, i := range order {
			f.Take(recs[i], krama.DeviceID{})
		}
		e := f.Entries()
		if len(e) != 1 || e[0].Name.EN != "a" || len(e[0].Others) != 1 || e[0].Others[0].Name.EN != "b" {
			t.Errorf("order %v: got %+v", order, e[0])
		}
	}
}

func FuzzDoor(f *testing.F) {
	b, _ := (&Door{Version: 1}).Encode()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := DecodeDoor(b); err == nil {
			d.Views(today)
			d.Offered(today)
		}
	})
}

// TestA5IntakeKeyThatAnybodySignsFor refuses a door whose answers anybody could sign.
func TestA5IntakeKeyThatAnybodySignsFor(t *testing.T) {
	sig, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		key  []byte
		want bool
	}{{sig, true}, {append([]byte{1}, make([]byte, 31)...), false}, {make([]byte, 32), false},
		{bytes.Repeat([]byte{0xff}, 32), false}, {sig[:31], false}} {
		b, err := (&Door{Version: 1, Intakes: []Intake{{Kem: make([]byte, 1216), Sig: c.key}}}).Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeDoor(b); (err == nil) != c.want {
			t.Errorf("%x: got %v want taken %v", c.key, err, c.want)
		}
	}
}
