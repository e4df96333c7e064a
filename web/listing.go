package web

import (
	"encoding/hex"
	"net/url"

	"krama"
	"krama/directory"
	"krama/web/http"
)

// headsOf names the versions of a listing that stand, so that a form can tell what it was drawn from.
func headsOf(e *directory.Entry) string {
	if e == nil {
		return ""
	}
	// The capacity is cut so that append copies and leaves the entry as it is.
	return idsText(append(e.Heads[:len(e.Heads):len(e.Heads)], e.GuardAt...))
}

// whyNot finds what is wrong with a listing as it was typed, so that the page can say which field and what to do.
func whyNot(f url.Values, l *krama.Listing, g *krama.Guarded, holds bool) listingTrouble {
	if l.Name.Blank() {
		return listingTrouble{key: "dir.needed", field: "dir.name"}
	}
	if l.Org.Blank() {
		return listingTrouble{key: "dir.needed", field: "listing.org"}
	}
	// In letters, as people are told. A browser holds typing to the same bounds; what comes otherwise is judged here.
	for _, t := range []struct {
		field string
		words krama.Words
		most  int
	}{{"dir.name", l.Name, krama.MaxName}, {"listing.org", l.Org, krama.MaxName}, {"dir.address", l.Address,
		krama.MaxName}, {"dir.address", g.Address, krama.MaxAbout}, {"dir.about", l.About, krama.MaxAbout},
		{"listing.bring", l.Bring, krama.MaxName}, {"listing.asked", l.Asked, krama.MaxName},
		{"dir.source", krama.Words{EN: l.Source}, krama.MaxSource}} {
		for _, s := range []string{t.words.KM, t.words.EN, t.words.VI} {
			if over := krama.Letters(s) - t.most; over > 0 {
				return listingTrouble{key: "dir.long", field: t.field, n: over}
			}
		}
	}
	for _, p := range append(l.Phones[:len(l.Phones):len(l.Phones)], g.Phones...) {
		if !krama.ValidNumber(p.Number) {
			return listingTrouble{key: "dir.badNumber", what: p.Number}
		}
	}
	if len(l.Phones) > krama.MaxPhones || len(g.Phones) > krama.MaxPhones {
		return listingTrouble{key: "dir.manyNumbers", n: krama.MaxPhones}
	}
	// Rows are looked at as they were typed: readListing passes over times without a day, and they would be lost
	// unseen.
	for i := range krama.MaxHours {
		row := formRow(i)
		open, shut := f.Get("open"+row), f.Get("close"+row)
		_, ok1 := minutes(open)
		_, ok2 := minutes(shut)
		switch days := len(f["day"+row]); {
		case days == 0 && open+shut != "":
			return listingTrouble{key: "dir.noDays", what: open + "–" + shut}
		case days > 0 && (!ok1 || !ok2 || open == shut):
			return listingTrouble{key: "dir.badHours", what: open + "–" + shut}
		}
	}
	// Past midnight a row is kept as two, so there can be more than the page has rows.
	if len(l.Hours) > krama.MaxHours {
		return listingTrouble{key: "dir.manyHours", n: krama.MaxHours}
	}
	// Before anything is written: the part that may be kept would be in the directory without the other.
	if !holds && (len(g.Phones) > 0 || !g.Address.Empty() || len(g.Replaces) > 0) {
		return listingTrouble{key: "dir.notNamed"}
	}
	// What no field can be named for gets a general sentence.
	if l.Validate() != nil || g.Validate() != nil {
		return listingTrouble{key: "dir.bad"}
	}
	return listingTrouble{}
}

// listingOpen opens a closed listing again. Its verification stands as it was: who opens it verifies it anew.
func (s listingPages) listingOpen(w http.ResponseWriter, r *http.Request) {
	e := s.find(w, r)
	if e == nil {
		return
	}
	if e.Closed && len(e.Others) == 0 { // of two versions that stand somebody chooses one first, on its page
		l := e.Listing
		l.Closed, l.Replaces = false, e.Heads
		if err := s.writeNew(krama.KindOutreach, krama.SubjectID{}, &krama.Record{Listing: &l}); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	redirect(w, r, "/listing/"+hex.EncodeToString(e.Key[:]))
}
