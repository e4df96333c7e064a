package office

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"

	"krama"
	"krama/locale"
	"krama/replica"
	"krama/seal"
)

// SiteAt is the public site's address, as visitors reach it; SiteSeen is when this desk last looked at it as a visitor
// does, what it found, and since when.
var (
	SiteAt   = replica.NewSetting("door.site", replica.OfNobody)
	SiteSeen = replica.NewSetting("door.site.seen", replica.OfNobody)
)

// What a look at the public site finds.
const (
	SiteRight   = "right"
	SiteDiffers = "differs" // it gives out an intake or a key that is not ours
	SiteAway    = "away"    // nothing that reads like our page
)

// SiteSeen reads what was found last.
func (o *Office) SiteSeen() (last krama.Day, what string, since krama.Day) {
	f := strings.Fields(o.Rep.Value(SiteSeen))
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

// lookAtSite compares what the public site really gives a visitor with this desk's own intakes, once a day, and at
// every meeting while something is wrong. Whoever runs or breaks into the site could give out a key of his own; a
// visitor cannot tell, the office can.
func (o *Office) lookAtSite(ctx context.Context) error {
	at := o.Rep.Value(SiteAt)
	if at == "" || o.Visit == nil {
		return nil
	}
	for _, k := range IntakeCircles { // a desk without the keys has nothing to compare with
		if _, holds := o.Rep.Kinds()[k]; !holds {
			return nil
		}
	}
	today := krama.DayOf(o.Now())
	last, before, since := o.SiteSeen()
	if last == today && before == SiteRight {
		return nil
	}
	// In a language by chance: a site could give out another key in one of them only.
	var pick [1]byte
	if _, err := o.Rand.Read(pick[:]); err != nil {
		return krama.Wrap("office.lookAtSite", err)
	}
	lang := locale.Languages[int(pick[0])%len(locale.Languages)].Code
	what := SiteAway
	// Ten characters, as a visitor's button sends them: the report page in her language.
	if page, err := o.Visit(ctx, at, url.Values{"q": {"wr000000" + lang}}, lang); err == nil {
		what = o.compareSite(page, today)
	}
	if what != before {
		since = today
	}
	return o.Rep.SetValue(SiteSeen, today.String()+" "+what+" "+since.String())
}

// intakeInputs are the fields of each intake that a report page offers.
// It reads what this program's templates write, and no other HTML.
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

// compareSite reads a report page as a browser does: each intake on it must be one of ours that is offered now, with
// our keys, one a circle.
func (o *Office) compareSite(page []byte, today krama.Day) string {
	if !bytes.Contains(page, []byte("<main")) || !bytes.Contains(page, []byte("</html>")) {
		return SiteAway
	}
	type keys struct{ kem, sig, place string }
	own := map[string]keys{}
	circle := map[string]krama.CircleKind{}
	for _, in := range o.Intakes() {
		k, err := o.Keys(in)
		// A day wider than the door: the page may have been made yesterday, or by a clock that is a day ahead.
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
		return SiteAway
	}
	for _, f := range inputs {
		k, ours := own[f["value"]]
		if !ours || k != (keys{f["data-kem"], f["data-sig"], f["data-bind"]}) {
			return SiteDiffers
		}
		seen[circle[f["value"]]] = true
	}
	if len(seen) != len(IntakeCircles) || len(inputs) != len(IntakeCircles) {
		return SiteDiffers
	}
	return SiteRight
}
