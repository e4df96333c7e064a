//go:build !js

package web

import (
	"testing"

	"krama"
	"krama/journal"
	"krama/measure"
	"krama/office"
)

// TestADeskHoldsWhatAnotherReleased: one desk lets seven people leave; two come late; another desk's report of the
// period says seven still, and nine never, until the difference is nobody's. What cannot be read as a release stops no
// report.
func TestADeskHoldsWhatAnotherReleased(t *testing.T) {
	g := newRig(t)
	other := g.newDesk(7)
	today := g.desk.today()
	p := measure.Closed(&g.desk.Guide.KPPrev, today, 1)[0]
	serial := byte(0)
	reach := func(n int) {
		for range n {
			serial++
			who := krama.SubjectID{1, serial}
			code, err := krama.NewCode(g.desk.Rand)
			if err != nil {
				t.Fatal(err)
			}
			for _, rec := range []*krama.Record{
				{Person: &krama.Person{Code: code, Gender: 1, Age: 4, Category: 1, District: 1002, Registered: p.From}},
				{Consent: &krama.Consent{Purpose: krama.PurposeRecord, Given: true, Date: p.From}},
				{Consent: &krama.Consent{Purpose: krama.PurposeCount, Given: true, Date: p.From}},
				{Contact: &krama.Contact{Date: p.From + 5, District: 1002, Place: 1, Test: krama.TestAccepted,
					Given: krama.Supplies{10}}},
			} {
				if err := g.desk.session().writeNew(krama.KindOutreach, who, rec); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	meet := func() {
		g.syncOffice()
		if err := other.rep.Sync(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	total := func(s *Server, leaves bool) int {
		r, err := s.session().office.Released(p, today, leaves)
		if err != nil {
			t.Fatal(err)
		}
		return r.Table[len(r.Table)-1][3].N
	}
	reach(7)
	if n := total(g.desk, true); n != 7 {
		t.Fatalf("%d people, want 7", n)
	}
	reach(2)
	meet()
	if n := total(other, false); n != 7 {
		t.Errorf("another desk says %d, and tells who came late", n)
	}
	if n := total(other, true); n != 7 {
		t.Errorf("released as %d", n)
	}
	reach(4)
	hostile := func(s *Server, b []byte) {
		if err := s.session().writeNew(krama.KindOutreach, krama.SubjectID{},
			&krama.Record{Released: &krama.Released{From: p.From, To: p.To, Counts: b}}); err != nil && krama.KindOf(
			err) != krama.NotAllowed {
			t.Fatal(err)
		}
	}
	below, err := krama.EncodeValue(measure.Counts{Left: [4]int{3, -3, 0, 0}})
	if err != nil {
		t.Fatal(err)
	}
	near, err := krama.EncodeValue(measure.Counts{Cross: map[uint8][3]int{1: {0, 11, 0}}})
	if err != nil {
		t.Fatal(err)
	}
	hostile(g.desk, []byte("nonsense"))
	hostile(g.desk, below)
	g.setUp()
	hostile(g.phone, near) // no admin's: it moves nothing
	if err := g.phone.rep.Sync(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	meet()
	if n := total(other, false); n != 13 {
		t.Errorf("another desk says %d of 13, six more than were released", n)
	}
	total(other, true) // no admin's desk: it alone remembers thirteen, beside the admin's seven
	reach(2)
	meet()
	if n := total(other, false); n != 13 {
		t.Errorf("a desk says %d where it released thirteen, and tells who came late", n)
	}
	if n := total(g.desk, false); n != 15 {
		t.Errorf("the admin's desk says %d of 15", n)
	}
}

// TestAReleaseThatWasCutIsTold: a report that could not be remembered the whole way, because the disk was full at any
// step, is remembered by all when it is asked for again.
func TestAReleaseThatWasCutIsTold(t *testing.T) {
	for full := 1; ; full++ {
		g := newRig(t)
		today := g.desk.today()
		p := measure.Closed(&g.desk.Guide.KPPrev, today, 1)[0]
		n, cut := 0, false
		dir := g.office.Dir.(*journal.MemDir)
		dir.Fault = func(op string, _ int) error {
			if op != "write" {
				return nil
			}
			if n++; n == full {
				cut = true
				return journal.ErrFull
			}
			return nil
		}
		_, err := g.desk.session().office.Released(p, today, true)
		dir.Fault = nil
		if !cut {
			if full < 3 {
				t.Errorf("%d steps were cut", full-1)
			}
			return
		}
		if err == nil {
			t.Errorf("step %d: it left, and was not remembered", full)
		}
		if _, err := g.desk.session().office.Released(p, today, true); err != nil {
			t.Fatal(err)
		}
		if len(g.desk.state.Released(p)) == 0 || g.desk.rep.Value(office.ReleasedAs(p)) == "" {
			t.Errorf("step %d: the others do not know of it", full)
		}
	}
}
