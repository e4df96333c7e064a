package web

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"krama"
	"krama/office"
	"krama/replica"
	"krama/seal"
	"krama/web/http"
)

// recovery is how ready the programme is to be brought back by its trustees.
func (s *session) recovery() trustData {
	return trustData{Recovery: office.RecoveryOf(s.rep, s.state, s.today())}
}

// trusteesPage shows that.
func (s staffPages) trusteesPage(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, 200, "trust.title", "devices", trusteesView(s.recovery()))
}

// trusteesSet draws a new key and splits it among trustees. The cards are shown once: who closes the page draws anew.
func (s staffPages) trusteesSet(w http.ResponseWriter, r *http.Request) {
	f := posted(r)
	k, err1 := strconv.Atoi(f.Get("k"))
	n, err2 := strconv.Atoi(f.Get("n"))
	// With k of 1 a single card could bring the programme back.
	if err1 != nil || err2 != nil || k < 2 || n < k || n > 9 {
		d := s.recovery()
		d.Trouble, d.Form = "trust.badNumbers", f
		s.page(w, r, 422, "trust.title", "devices", trusteesView(d))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Minute)
	defer cancel()
	cards, way, err := s.rep.Admin().SetTrustees(ctx, k, n)
	// Where cards came with an error the set holds and what follows is done later: they are shown, or nobody would ever
	// have them.
	if err != nil && len(cards) == 0 {
		d := s.recovery()
		d.Trouble = jobError(err)
		s.page(w, r, 200, "trust.title", "devices", trusteesView(d))
		return
	}
	d := s.recovery()
	d.Way = way
	for _, c := range cards {
		d.Cards = append(d.Cards, cardText{int(c.Share.X), c.String()})
	}
	// As drawn: until a second admin signs, or a day is over, the roster has the numbers of before.
	d.K, d.N = k, n
	s.page(w, r, 200, "trust.cards", "devices", cardsView(d))
}

// trusteesDrill checks one card that a trustee has brought. It opens nothing.
func (s staffPages) trusteesDrill(w http.ResponseWriter, r *http.Request) {
	x, err := s.rep.Admin().CheckCard(posted(r).Get("card"))
	d := s.recovery()
	// The order matters: a forged card is Tampered too, and gets its own sentence.
	switch {
	case errors.Is(err, replica.ErrForgedCard):
		d.Trouble = "trust.forgedCard"
	case krama.KindOf(err) == krama.Tampered:
		d.Trouble = "trust.oldCard"
	case krama.KindOf(err) == krama.NotFound:
		d.Trouble = "trust.otherCard"
	case krama.KindOf(err) == krama.NotYet:
		d.Trouble = "trust.earlyCard"
	case err != nil:
		d.Trouble = "trust.badCard"
	default:
		// A card that was found good is of the set that holds now, so the roster has one.
		var set [4]byte
		s.rep.Roster(func(ro *seal.Roster) { set = ro.Trustees.Set })
		if err := s.write(krama.SubjectID{}, &krama.Record{Trust: &krama.Trust{Set: set, X: uint8(x),
			Day: s.today()}}); err != nil {
			s.fail(w, r, err)
			return
		}
		d = s.recovery()
		d.Good = x
	}
	s.page(w, r, 200, "trust.title", "devices", trusteesView(d))
}

// trusteesAccept keeps an admin's word that there will be no recovery, typed as a whole sentence.
func (s staffPages) trusteesAccept(w http.ResponseWriter, r *http.Request) {
	p := s.printer(r)
	typed := strings.Join(strings.Fields(posted(r).Get("typed")), " ")
	if !strings.EqualFold(norm.NFC.String(typed), norm.NFC.String(p.T("trust.sentence"))) {
		// keyboards differ in how they make accents
		d := s.recovery()
		d.Trouble = "trust.notTyped"
		s.page(w, r, 422, "trust.title", "devices", trusteesView(d))
		return
	}
	if err := s.acceptLoss(); err != nil {
		s.fail(w, r, err)
		return
	}
	redirect(w, r, "/trustees")
}
