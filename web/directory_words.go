package web

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"krama"
	"krama/directory"
	"krama/seal"
)

// dirStatus is how far a listing can be believed, in words.
func dirStatus(ctx context.Context, e *directory.Entry) string {
	if e.Closed {
		return tr(ctx, "dir.closed")
	}
	// Today is the frame's: no two lines of a page disagree when it is drawn at midnight.
	switch e.Status(fr(ctx).Today) {
	case directory.Fresh:
		return tr(ctx, "dir.fresh", "date", date(e.Verified), "until", date(e.Expires()))
	case directory.Doubted:
		return tr(ctx, "dir.doubted")
	case directory.Stale:
		return tr(ctx, "dir.stale", "date", date(e.Expires()))
	}
	if e.Verified == 0 {
		return tr(ctx, "dir.unverified")
	}
	// Status hides whatever is not for the public. Staff are told all the same that it holds.
	if !e.Public && fr(ctx).Today <= e.Expires() {
		return tr(ctx, "dir.fresh", "date", date(e.Verified), "until", date(e.Expires()))
	}
	return tr(ctx, "dir.hidden")
}

// troubleText is the sentence of a listing's trouble.
func troubleText(ctx context.Context, t listingTrouble) string {
	// A trouble is kept as keys. Its sentence is made here, in the language of whoever reads it.
	field := ""
	if t.field != "" {
		field = tr(ctx, t.field)
	}
	return tr(ctx, t.key, "field", field, "what", t.what, "n", t.n)
}

// who names a device for staff.
func (s *session) who(d krama.DeviceID) (name string) {
	s.rep.Roster(func(ro *seal.Roster) { name = s.deviceName(ro, d) })
	return name
}

// checkLines are what was said of a listing, and by whom.
func (s *session) checkLines(e *directory.Entry) (out []checkLine) {
	for _, c := range e.Checks {
		out = append(out, checkLine{c, s.who(c.Author)})
	}
	return out
}

// termList names the codes of a set, in the order of their list.
func termList(ctx context.Context, prefix string, list []krama.Term, set krama.Set) string {
	out := krama.KeysOf(list, set)
	for i, key := range out {
		out[i] = tr(ctx, prefix+"."+key)
	}
	return strings.Join(out, ", ")
}

// hoursText writes opening hours, days that follow each other as a range.
func hoursText(ctx context.Context, h krama.Hours) string {
	if h.Always() {
		return tr(ctx, "door.always")
	}
	var days []string
	// Two days in a row are two runs: only three or more are written as a range.
	for _, run := range h.Runs() {
		day := tr(ctx, "door.day."+itoa(int(run[0])))
		if run[1] > run[0] {
			day += "–" + tr(ctx, "door.day."+itoa(int(run[1])))
		}
		days = append(days, day)
	}
	return strings.Join(days, ", ") + " " + krama.Clock(h.Open) + "–" + krama.Clock(h.Close)
}

// dayOptions are the days of the week as choices.
func dayOptions(ctx context.Context, f url.Values, name string) (out []option) {
	for d := 1; d <= 7; d++ {
		out = append(out, option{itoa(d), tr(ctx, "door.day."+itoa(d)), slices.Contains(f[name], itoa(d))})
	}
	return out
}

// listingDistricts are the districts as choices of a listing, those of other provinces too where it has them.
func listingDistricts(ctx context.Context, f url.Values) (out []option) {
	for _, d := range fr(ctx).Guide.Province.Districts {
		v := strconv.Itoa(int(d.Code))
		out = append(out, option{v, d.Name(fr(ctx).Lang), slices.Contains(f["district"], v)})
	}
	for _, v := range f["district"] { // of another province: it stays until somebody takes it away
		if !slices.ContainsFunc(out, func(o option) bool { return o.Value == v }) {
			label := tr(ctx, "dir.elsewhere", "code", v)
			if v == strconv.Itoa(int(krama.Elsewhere)) {
				label = tr(ctx, "dir.otherArea")
			}
			out = append(out, option{v, label, true})
		}
	}
	return out
}

// outcomeText says what became of a referral.
func outcomeText(ctx context.Context, what uint8) string {
	if what == 0 {
		return tr(ctx, "outcome.open")
	}
	return term(ctx, "outcome", krama.Outcomes, what)
}
