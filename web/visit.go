package web

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"

	"krama"
	"krama/casework"
	"krama/locale"
	"krama/replica"
	"krama/seal"
	"krama/web/http"
)

// siteKey names the value with the public site's address, as visitors reach it; siteSeenKey the one that says when this desk last looked at
// it as a visitor does, what it found, and since when.
const (
	siteKey     = "door.site"
	siteSeenKey = "door.site.seen"
)

// What a look at the public site finds.
const (
	siteRight   = "right"
	siteDiffers = "differs" // it gives out an intake or a key that is not ours
	siteAway    = "away"    // nothing that reads like our page
)

// siteAwayDays is for how long the site may be away before the desk says so.
const siteAwayDays = 3

// siteSeen reads what was found last.
func siteSeen(rep *replica.Replica) (last krama.Day, what string, since krama.Day) {
	f := strings.Fields(rep.Value(siteSeenKey))
	if len(f) != 3 {
		return 0, "", 0
	}
	last, err1 := krama.ParseDay(f[0])
	since, err2 := krama.ParseDay(f[2])
	if err1 != nil || err2 != nil {
		return 0, "", 0
	}
	return last, f[1], since
}

// lookAtSite compares what the public site really gives a visitor with this desk's own intakes, once a day, and at every meeting while
// something is wrong. Whoever runs or breaks into the site could give out a key of his own; a visitor cannot tell, the office can.
func (s *Server) lookAtSite(ctx context.Context, rep *replica.Replica, st *casework.State) error {
	at := rep.Value(siteKey)
	if at == "" || s.Visit == nil {
		return nil
	}
	for _, k := range intakeCircles { // a desk without the keys has nothing to compare with
		if _, holds := rep.Kinds()[k]; !holds {
			return nil
		}
	}
	today := krama.DayOf(s.Now())
	last, before, since := siteSeen(rep)
	if last == today && before == siteRight {
		return nil
	}
	var pick [1]byte
	if _, err := s.Rand.Read(pick[:]); err != nil {
		return krama.Wrap("web.lookAtSite", err)
	}
	lang := locale.Languages[int(pick[0])%len(locale.Languages)].Code
	what := siteAway
	if page, err := s.Visit(ctx, at, url.Values{"q": {"wr000000" + lang}}, lang); err == nil {
		what = s.compareSite(rep, st, page, today)
	}
	if what != before {
		since = today
	}
	return rep.SetValue(siteSeenKey, today.String()+" "+what+" "+since.String())
}

// intakeInputs are the fields of each intake that a report page offers.
func intakeInputs(page string) (out []map[string]string) {
	for {
		_, rest, more := strings.Cut(page, "<input ")
		if !more {
			return out
		}
		tag, after, _ := strings.Cut(rest, ">")
		page = after
		f := map[string]string{}
		for part := range strings.SplitSeq(tag, `" `) {
			if name, value, ok := strings.Cut(strings.TrimSpace(part), `="`); ok {
				f[name] = strings.TrimSuffix(value, `"`)
			}
		}
		if f["name"] == "to" {
			out = append(out, f)
		}
	}
}

// compareSite reads a report page as a browser does: each intake on it must be one of ours that is offered now, with our keys, one a circle.
func (s *Server) compareSite(rep *replica.Replica, st *casework.State, page []byte, today krama.Day) string {
	if !bytes.Contains(page, []byte("<main")) || !bytes.Contains(page, []byte("</html>")) {
		return siteAway
	}
	type keys struct{ kem, sig, place string }
	own := map[string]keys{}
	circle := map[string]krama.CircleKind{}
	for _, in := range s.intakes(rep, st) {
		k, err := s.openIntake(in)
		if err != nil || in.From > today+2 || in.Until < today-1 || !k.Bound {
			continue
		}
		id, place := k.ID(), seal.IntakePlace(k.Stream)
		name := hex.EncodeToString(id[:])
		enc := base64.StdEncoding.EncodeToString
		own[name] = keys{enc(k.KEM.PublicKey().Bytes()), enc(k.Sig.Public().(ed25519.PublicKey)), enc(place[:])}
		circle[name] = in.Circle
	}
	seen := map[krama.CircleKind]bool{}
	inputs := intakeInputs(string(page))
	if len(inputs) == 0 { // as after an office's long holiday: nobody can write, and nobody is deceived
		return siteAway
	}
	for _, f := range inputs {
		k, ours := own[f["value"]]
		if !ours || k != (keys{f["data-kem"], f["data-sig"], f["data-bind"]}) {
			return siteDiffers
		}
		seen[circle[f["value"]]] = true
	}
	if len(seen) != len(intakeCircles) || len(inputs) != len(intakeCircles) {
		return siteDiffers
	}
	return siteRight
}

// siteNotice is the sentence about what the public site gives out, or "".
func (s *Server) siteNotice(rep *replica.Replica, p *locale.Printer) string {
	if rep.Value(siteKey) == "" {
		return ""
	}
	switch last, what, since := siteSeen(rep); {
	case what == siteDiffers:
		return p.T("doorDesk.siteDiffers", "date", date(since))
	case what == siteAway && last >= since+siteAwayDays:
		return p.T("doorDesk.siteAway", "date", date(since))
	}
	return ""
}

// siteState is what the last look found, as the door's page says it.
func (s *Server) siteState(rep *replica.Replica) (key, day string) {
	last, what, _ := siteSeen(rep)
	if rep.Value(siteKey) == "" || what == "" {
		return "", ""
	}
	return map[string]string{siteRight: "doorDesk.foundRight", siteDiffers: "doorDesk.foundOther", siteAway: "doorDesk.foundAway"}[what], date(last)
}

// doorSite keeps the public site's address, or none. What was found at another is forgotten.
func (s *Server) doorSite(w http.ResponseWriter, r *http.Request) {
	at := strings.TrimSpace(form(r).Get("site"))
	u, err := url.Parse(at)
	if at != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || len(at) > 200) {
		d, _, e := s.makeDoor(s.rep, s.state)
		if e != nil {
			s.fail(w, r, e)
			return
		}
		s.page(w, r, 422, "doorDesk.title", "directory", doorView(s, d, "doorDesk.siteBad", at))
		return
	}
	if at != "" {
		at = u.Scheme + "://" + u.Host + "/"
	}
	err = s.rep.SetValue(siteSeenKey, "")
	if err == nil {
		err = s.rep.SetValue(siteKey, at)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	redirect(w, r, "/door")
}
