package door

import (
	"bytes"
	"context"
	"os"
	"path/filepath"

	"github.com/a-h/templ"

	"krama"
	"krama/directory"
	"krama/locale"
)

// Refresh makes the pages anew: after the programme has published, and when the day has changed. Where the published
// door gives none it says why, and the last good one stands, of today.
func (d *Door) Refresh(ctx context.Context) error {
	// Whatever fails, pages go on standing: a programme's mistake must not close its door.
	b, err := d.Load(ctx)
	var p *pages
	switch {
	case err == nil:
		p, err = d.parse(ctx, b, Largest)
	case krama.KindOf(err) == krama.NotFound:
		p, err = d.build(ctx, d.unpublished(), Largest)
	}
	if err != nil {
		d.stepOver(ctx)
		return err
	}
	d.now.Store(p)
	return d.keep(p)
}

// spare is what a page must leave free when it is published, in bytes: what is said of a listing grows while it gets
// older.
const spare = 400

// Check tries whether every page can be made of a door, as Refresh would: TooLarge, with a directory.PartError that
// says which part, or what DecodeDoor says. It is for whoever is about to publish, and for the relay before it keeps
// what was.
func (d *Door) Check(door []byte) error {
	// With room to spare: what is published today must fit on every later day too.
	_, err := d.parse(context.Background(), door, Largest-spare)
	return err
}

// Checker makes pages of doors and serves none: what a desk looks at before it publishes.
func Checker(c Config) *Door { return &Door{Config: c} }

// parse makes the pages of a published door's bytes.
func (d *Door) parse(ctx context.Context, b []byte, most int) (*pages, error) {
	pub, err := directory.DecodeDoor(b)
	if err != nil {
		return nil, err
	}
	p, err := d.build(ctx, pub, most)
	if err == nil {
		p.raw = b
	}
	return p, err
}

// stepOver has something stand where the published door gives no pages: what stands already, if it is of today; the
// last good door; the starter's listings.
func (d *Door) stepOver(ctx context.Context) {
	now := d.now.Load()
	var last []byte
	switch {
	case now != nil && now.today == krama.DayOf(d.Now()):
		return
	// Those that stand are of another day: the same door is made for today.
	case now != nil:
		last = now.raw
	case d.Last != "":
		last, _ = os.ReadFile(d.Last) // none: the starter's
	}
	// The last good door may give no pages by now: a listing that got older says more.
	var p *pages
	err := error(krama.E("door.stepOver", krama.NotFound, ""))
	if last != nil {
		p, err = d.parse(ctx, last, Largest)
	}
	if err != nil {
		p, err = d.build(ctx, d.unpublished(), Largest)
	}
	if err == nil {
		d.now.Store(p)
	}
}

// keep keeps the bytes of a good door for a start at which the relay has a bad one.
func (d *Door) keep(p *pages) error {
	if d.Last == "" || p.raw == nil {
		return nil
	}
	if old, err := os.ReadFile(d.Last); err == nil && bytes.Equal(old, p.raw) {
		return nil
	}
	// Beside the old file and then in its place, so that a cut leaves one of them whole.
	f, err := os.CreateTemp(filepath.Dir(d.Last), ".door-")
	if err != nil {
		return krama.Wrap("door.keep", err)
	}
	defer os.Remove(f.Name()) // where it was not renamed
	_, err = f.Write(p.raw)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), d.Last)
	}
	return krama.Wrap("door.keep", err)
}

// build makes every page of a door for today. A page that travels in more than most bytes is TooLarge.
func (d *Door) build(ctx context.Context, pub *directory.Door, most int) (*pages, error) {
	const op = "door.build"
	p := &pages{all: map[key]blob{}, packs: map[string][]byte{}, door: pub, today: krama.DayOf(d.Now())}
	var v *view
	raw := map[key][]byte{}
	// Every page that can be named is made now. hm is the first page, an the answers to a need, pn a listing's own
	// page, ri and rt rights, wr reporting, cb coming back for answers, sl slips, ab what this is.
	for _, l := range locale.Languages {
		v = d.view(p, l.Code)
		add := func(page string, n int, place uint16, body templ.Component) error {
			b, err := v.render(ctx, key{page, n, place, l.Code}, body)
			raw[key{page, n, place, l.Code}] = b
			return err
		}
		errs := []error{add("hm", 0, 0, homePage(v)), add("ri", 0, 0, rightsIndex(v)), add("wr", 0, 0, writePage(v)),
			add("cb", 0, 0, backPage(v)), add("ab", 0, 0, aboutPage(v)),
			add("sl", 0, 0, slipPage(v, "", "")), add("sl", 1, 0, slipPage(v, "door.slipThanks", "")),
			add("sl", 2, 0, slipPage(v, "", "door.slipBad")), add("sl", 3, 0, slipPage(v, "", "door.slipBusy"))}
		for i := range v.texts {
			errs = append(errs, add("rt", i+1, 0, rightsPage(v, i)))
		}
		for _, need := range krama.Needs {
			for _, place := range v.places() {
				errs = append(errs, add("an", int(need.Code), place, answersPage(v, need, place)))
			}
		}
		// A name has two digits for a number; a listing past 99 is in answers and in the pack all the same.
		for i := range v.listings[:min(99, len(v.listings))] {
			errs = append(errs, add("pn", i+1, 0, policePage(v, v.listings[i])))
		}
		for _, err := range errs {
			if err != nil {
				return nil, krama.Wrap(op, err)
			}
		}
		pack, err := v.pack(ctx)
		if err != nil {
			return nil, krama.Wrap(op, err)
		}
		p.packs[l.Code] = pack
	}
	var err error
	if p.hsds, err = d.makeHSDS(p); err != nil {
		return nil, err
	}
	// v is the view of the last language, and listings have the same order in each.
	large, err := p.even(raw, most)
	if err == nil && large != nil {
		err = &krama.Error{Op: op, Kind: krama.TooLarge, Err: v.part(*large)}
	}
	return p, err
}

// part names what a page shows, as whoever publishes knows it.
func (v *view) part(k key) *directory.PartError {
	e := &directory.PartError{Lang: k.lang}
	switch {
	case k.page == "an":
		e.Need = uint8(k.n)
	case k.page == "pn" && k.n <= len(v.listings):
		e.Listing = v.listings[k.n-1].Key
	case k.page == "rt" && k.n <= len(v.texts):
		e.Topic = v.texts[k.n-1].Topic
	}
	return e
}

// unpublished is the door of a programme that has published nothing: the starter's public listings.
func (d *Door) unpublished() *directory.Door {
	return directory.NewDoor(directory.NewFold(d.Starter).Entries(), krama.DayOf(d.Now()), [16]byte{})
}

// even gives all pages one size, plain and zipped: the least kibibyte that holds the largest. A page that is larger
// than most is told.
func (p *pages) even(raw map[key][]byte, most int) (large *key, err error) {
	zipped := map[key][]byte{}
	plain := 0
	for k, b := range raw {
		z, err := zip(b, -1)
		if err != nil {
			return nil, err
		}
		zipped[k] = z
		if len(z) > p.most {
			p.most, large = len(z), &k
		}
		plain = max(plain, len(b))
	}
	if p.most+2 > most {
		return large, nil
	}
	// Whole kibibytes: a directory that changes a little leaves the size as it was.
	size := min(Largest, (p.most+2+1023)/1024*1024)
	plain = (plain + 1023) / 1024 * 1024
	for k, b := range raw {
		z, err := zip(b, size-len(zipped[k])-2)
		if err != nil {
			return nil, err
		}
		p.all[k] = blob{append(bytes.Clone(b), bytes.Repeat([]byte{'\n'}, plain-len(b))...), z}
	}
	return nil, nil
}

func (v *view) render(ctx context.Context, k key, body templ.Component) ([]byte, error) {
	var b bytes.Buffer
	err := page(v, k, body).Render(ctx, &b)
	return b.Bytes(), err
}

// pack makes the directory of a language as one file.
func (v *view) pack(ctx context.Context) ([]byte, error) {
	var b bytes.Buffer
	err := packPage(v).Render(ctx, &b)
	return b.Bytes(), err
}
