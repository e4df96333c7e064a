package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"krama"
	"krama/casework"
	"krama/directory"
	"krama/directory/starter"
	"krama/exchange"
	"krama/exchange/hsds"
	"krama/office"
	"krama/relay"
	"krama/relay/memory"
	"krama/replica"
)

// emptyDesk founds a programme and returns its desk's folder and words.
func emptyDesk(t *testing.T) (dir, words string) {
	t.Helper()
	srv := httptest.NewServer(relay.New(memory.New(), "token", relay.DefaultLimits, time.Now))
	t.Cleanup(srv.Close)
	dir = filepath.Join(t.TempDir(), "desk")
	code, words, stderr := cli("", "new", "--relay", srv.URL, "--token", "token", "--data", dir)
	if code != exitOK {
		t.Fatal(stderr)
	}
	return dir, words
}

// inside opens a desk, writes what it is given and returns what the desk knows.
func inside(t *testing.T, dir, words string,
	recs map[krama.CircleKind][]*krama.Record) map[krama.ListingID]*directory.Entry {
	t.Helper()
	st := casework.New()
	c := deskReplica(dir)
	c.Feed, c.Reset = office.Feed(st), st.Reset
	r, err := replica.Unlock(c, strings.TrimSpace(words))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for k, list := range recs {
		for _, rec := range list {
			if rec.ID, err = r.NewRecord(); err == nil {
				err = r.Write(k, krama.SubjectID{}, rec)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	out := map[krama.ListingID]*directory.Entry{}
	for _, e := range st.Listings() {
		out[e.Key] = e
	}
	return out
}

// listings are a service that anybody may see, with a number for partners; a shelter; one for staff; one that closed;
// one found wrong.
func listings(today krama.Day) map[krama.CircleKind][]*krama.Record {
	l := func(n byte, kind uint8, name string, change func(*krama.Listing)) *krama.Record {
		x := &krama.Listing{Key: krama.ListingID{n}, Kind: kind, Org: krama.Words{EN: "Org of " + name},
			Name: krama.Words{EN: name}, About: krama.Words{EN: "About " + name}, Operator: krama.OperatorNGO,
			Needs: krama.Set(0).With(krama.NeedHurt).With(krama.NeedMoney), Public: true, Source: "test"}
		if change != nil {
			change(x)
		}
		return &krama.Record{Listing: x}
	}
	check := func(n byte, says uint8) *krama.Record {
		return &krama.Record{Check: &krama.Check{Key: krama.ListingID{n}, Day: today, Says: says}}
	}
	return map[krama.CircleKind][]*krama.Record{
		krama.KindOutreach: {
			l(1, krama.KindService, "Open House", func(x *krama.Listing) {
				x.Phones = []krama.Phone{{Number: "000 100 001", Use: krama.UseCall, Tier: krama.TierPublic},
					{Number: "000 100 002", Use: krama.UseMessage, Tier: krama.TierPartner}}
				x.Address, x.Shown = krama.Words{EN: "1 Public Street"}, krama.TierPublic
				x.Languages, x.Districts = krama.Set(0).With(1).With(2), []uint16{1001, 1002}
				x.Hours = []krama.Hours{{Days: 0x3e, Open: 450, Close: 1020}, {Days: 0xc0, Open: 0, Close: 1440}}
				x.Bring, x.Asked = krama.Words{EN: "A card"}, krama.Words{EN: "A name to call you by"}
			}),
			check(1, krama.CheckTrue),
			l(2, krama.KindShelter, "Lotus Shelter", func(x *krama.Listing) {
				x.Phones = []krama.Phone{{Number: "000 100 003", Use: krama.UseCall, Tier: krama.TierPublic}}
			}),
			l(3, krama.KindService, "For Staff", func(x *krama.Listing) { x.Public = false }),
			l(4, krama.KindService, "Shut For Good", func(x *krama.Listing) { x.Closed = true }),
			l(5, krama.KindService, "Found Wrong", nil), check(5, krama.CheckWrong),
			l(6, krama.KindService, "At The Partners", func(x *krama.Listing) {
				x.Address, x.Shown = krama.Words{EN: "6 Partner Street"}, krama.TierPartner
			}),
		},
		krama.KindSafeguarding: {{Guarded: &krama.Guarded{Key: krama.ListingID{2},
			Address: krama.Words{EN: "Behind the old well"}, Phones: []krama.Phone{{Number: "000 999 999",
				Use: krama.UseCall, Tier: krama.TierNamed}}}}},
	}
}

// all reads everything that lies in a file or folder, zip files unpacked.
func all(t *testing.T, path string) (text string) {
	t.Helper()
	err := filepath.WalkDir(path, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		text += string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if z, err := zip.NewReader(strings.NewReader(text), int64(len(text))); err == nil {
		text = ""
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if _, err := b.ReadFrom(r); err != nil {
				t.Fatal(err)
			}
			text += b.String()
		}
	}
	return text
}

// TestDirectoryExport: each form holds what its tier may see, and no tier where a shelter is.
func TestDirectoryExport(t *testing.T) {
	dir, words := emptyDesk(t)
	inside(t, dir, words, listings(krama.DayOf(time.Now())))
	folder := t.TempDir()
	for _, form := range []string{"all.json", "all.zip", "all"} {
		for _, partners := range []bool{false, true} {
			to := filepath.Join(folder, fmt.Sprint(partners)+form)
			args := []string{"directory", "export", "--to", to, "--data", dir}
			if partners {
				args = append(args, "--partners")
			}
			if stderr, exit := kramaRun(t, words, args...); exit != exitOK || !strings.Contains(stderr, "wrote ") {
				t.Fatalf("%s: %d %s", form, exit, stderr)
			}
			text := all(t, to)
			for what, want := range map[string]bool{"Open House": true, "1 Public Street": true, "000 100 001": true,
				"Lotus Shelter": true, "000 100 003": true, "At The Partners": true,
				"000 100 002": partners, "6 Partner Street": partners, "Behind the old well": false,
				"000 999 999": false, "For Staff": false, "Shut For Good": false, "Found Wrong": false} {
				if strings.Contains(text, what) != want {
					t.Errorf("%s, partners %v: %q is there: %v", form, partners, what, !want)
				}
			}
			before := all(t, to)
			if stderr, exit := kramaRun(t, words, args...); exit != exitFailed || !strings.Contains(stderr, "exists") ||
				all(t, to) != before {
				t.Errorf("%s: writing over it: %d %s", form, exit, stderr)
			}
		}
	}
	if left, _ := filepath.Glob(filepath.Join(folder, "*.part")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, exit := kramaRun(t, "acorn acorn acorn acorn", "directory", "export", "--to", filepath.Join(folder,
		"no.json"), "--data", dir); exit != exitLocked {
		t.Errorf("wrong words: %d", exit)
	}
	if _, err := os.Stat(filepath.Join(folder, "no.json")); err == nil {
		t.Error("wrong words wrote a file")
	}
}

// TestDirectoryImport takes one programme's directory into another in each form: to verify, once.
func TestDirectoryImport(t *testing.T) {
	today := krama.DayOf(time.Now())
	dir, words := emptyDesk(t)
	own := listings(today)
	inside(t, dir, words, own)
	shipped, err := starter.Load()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	forms := []string{"all.json", "all.zip", "all"}
	for _, form := range forms {
		if stderr, exit := kramaRun(t, words, "directory", "export", "--partners", "--to", filepath.Join(folder, form),
			"--data", dir); exit != exitOK {
			t.Fatal(stderr)
		}
		if stderr, exit := kramaRun(t, words, "directory", "import", filepath.Join(folder, form), "--yes", "--data",
			dir); exit != exitOK || !strings.Contains(stderr, "nothing to add") {
			t.Errorf("%s: its own directory: %d %s", form, exit, stderr)
		}
	}
	if n := len(inside(t, dir, words, nil)); n != 6 {
		t.Errorf("its own directory added: %d listings", n)
	}
	for _, form := range forms {
		other, words := emptyDesk(t)
		stderr, exit := kramaRun(t, words, "directory", "import", filepath.Join(folder, form), "--data", other)
		if exit != exitOK || !strings.Contains(stderr, "would add 3 listings") || !strings.Contains(stderr,
			"left behind: addresses 2") || !strings.Contains(stderr, "--yes") {
			t.Fatalf("%s: %d %s", form, exit, stderr)
		}
		public := 0
		for _, l := range shipped {
			if l.Public {
				public++
			}
		}
		if !strings.Contains(stderr, fmt.Sprintf("known already: %d\n", public)) {
			t.Errorf("%s: of what is shipped %d is public: %s", form, public, stderr)
		}
		if n := len(inside(t, other, words, nil)); n != 0 {
			t.Fatalf("%s: %d written without --yes", form, n)
		}
		if stderr, exit = kramaRun(t, words, "directory", "import", "--yes", filepath.Join(folder, form), "--data",
			other); exit != exitOK || !strings.Contains(stderr, "added 3") || !strings.Contains(stderr, "krama sync") {
			t.Fatalf("%s: %d %s", form, exit, stderr)
		}
		got := inside(t, other, words, nil)
		var house *directory.Entry
		for _, e := range got {
			if e.Public || e.Verified != 0 || e.Status(today) != directory.Hidden || !e.Address.Empty() ||
				e.Guarded != nil || !strings.Contains(e.Source, "imported on "+today.String()+" from "+form) {
				t.Errorf("%s: %+v is not one to verify", form, e.Listing)
			}
			for _, p := range e.Phones {
				if p.Tier != krama.TierPartner {
					t.Errorf("%s: a number for tier %d", form, p.Tier)
				}
			}
			if e.Name.EN == "Open House" {
				house = e
			}
		}
		if len(got) != 3 || house == nil {
			t.Fatalf("%s: %d listings", form, len(got))
		}
		was := own[krama.KindOutreach][0].Listing
		want := krama.Listing{Key: house.Key, Kind: krama.KindService, Operator: krama.OpOther, Org: was.Org,
			Name: was.Name, About: was.About, Needs: was.Needs, Districts: was.Districts, Languages: was.Languages,
			Bring: was.Bring, Asked: was.Asked, Hours: was.Hours, Source: house.Source,
			Phones: []krama.Phone{{Number: "000 100 001", Use: krama.UseCall, Tier: krama.TierPartner},
				{Number: "000 100 002", Use: krama.UseMessage, Tier: krama.TierPartner}}}
		if fmt.Sprint(house.Listing) != fmt.Sprint(want) {
			t.Errorf("%s:\n got %v\nwant %v", form, house.Listing, want)
		}
		for _, again := range forms { // the same directory in another form is the same directory
			if stderr, exit := kramaRun(t, words, "directory", "import", filepath.Join(folder, again), "--yes",
				"--data", other); exit != exitOK || !strings.Contains(stderr, "nothing to add") {
				t.Errorf("%s, then %s: %d %s", form, again, exit, stderr)
			}
		}
		if n := len(inside(t, other, words, nil)); n != 3 {
			t.Errorf("%s: a second import added: %d", form, n)
		}
		onward := filepath.Join(t.TempDir(), "onward.json")
		if stderr, exit := kramaRun(t, words, "directory", "export", "--partners", "--to", onward, "--data",
			other); exit != exitOK || strings.Contains(all(t, onward), "Open House") {
			t.Errorf("%s: what nobody verified goes on to others: %d %s", form, exit, stderr)
		}
	}
}

// TestDirectoryImportRefuses: what is not a directory is refused with a sentence, before the desk is opened.
func TestDirectoryImportRefuses(t *testing.T) {
	dir, words := emptyDesk(t)
	folder := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	zipped := func(name string, files ...string) string {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, f := range files {
			w, err := z.Create(f)
			if err == nil {
				_, err = w.Write([]byte("id,name,status\na,b,active\n"))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		z.Close()
		return put(name, b.String())
	}
	sparse := func(name, head string) string {
		path := put(name, head)
		if err := os.Truncate(path, hsds.MaxBytes+1); err != nil {
			t.Fatal(err)
		}
		return path
	}
	many := make([]string, exchange.MaxImport+1)
	for i := range many {
		many[i] = fmt.Sprintf(`{"id":"%d","name":"N","status":"active","description":"d","organization_id":"o"}`, i)
	}
	zipText, err := os.ReadFile(zipped("whole.zip", "services.csv"))
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(folder, "links")
	put("links/organizations.csv", "id,name\na,b\n")
	if err := os.Symlink(put("secret", "id,name,status\nx,y,active\n"), filepath.Join(link,
		"services.csv")); err != nil {
		t.Fatal(err)
	}
	put("nothing/readme.txt", "no")
	for what, c := range map[string]struct{ path, says string }{
		"no such file":      {filepath.Join(folder, "none.json"), "no such file"},
		"empty":             {put("empty.json", ""), "empty"},
		"not JSON":          {put("text.json", "Dear colleague,\n\x1b[2J"), "not JSON"},
		"not UTF-8":         {put("latin.json", "[\"\xff\"]"), "not UTF-8"},
		"something else":    {put("other.json", `{"a":1}`), "without an id"},
		"a list of numbers": {put("numbers.json", "[1,2]"), "not an object"},
		"a name twice":      {put("twice.json", `[{"id":"1","id":"2","name":"N","status":"active"}]`), "twice"},
		"deep": {put("deep.json", strings.Repeat("[", 100)+strings.Repeat("]", 100)),
			"inside each other"},
		"too many":           {put("many.json", "["+strings.Join(many, ",")+"]"), "more than 1000 services"},
		"huge":               {sparse("huge.json", "["), "more than"},
		"a huge zip file":    {sparse("huge.zip", "PK"), "more than"},
		"zip, outside":       {zipped("slip.zip", "services.csv", "../../evil.csv"), "outside the folder"},
		"zip, absolute":      {zipped("root.zip", "services.csv", "/etc/evil.csv"), "outside the folder"},
		"zip, backslash":     {zipped("back.zip", `..\evil.csv`), "outside the folder"},
		"zip, twice":         {zipped("double.zip", "services.csv", "services.csv"), "twice"},
		"zip, cut":           {put("cut.zip", string(zipText[:len(zipText)/2])), "not a zip file"},
		"a folder with none": {filepath.Join(folder, "nothing"), "no CSV file"},
		"a link":             {link, "not a plain file"},
		"a device":           {"/dev/null", "not a file or a folder"},
	} {
		stderr, exit := kramaRun(t, words, "directory", "import", c.path, "--yes", "--data", dir)
		if exit != exitFailed || !strings.Contains(stderr, c.says) || !strings.Contains(stderr, "nothing was written") {
			t.Errorf("%s: %d %s", what, exit, stderr)
		}
		if strings.Contains(stderr, folder) || strings.Contains(stderr, "\x1b") || strings.Contains(stderr,
			"four words") {
			t.Errorf("%s: says too much, or opened the desk: %q", what, stderr)
		}
	}
	if n := len(inside(t, dir, words, nil)); n != 0 {
		t.Errorf("%d listings were written", n)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(filepath.Dir(folder)), "evil.csv")); err == nil {
		t.Error("a file was unpacked")
	}
}

// TestTwoDirectoriesNumberTheirServices: the first service of one is not the first of another, and who imports says
// whose they are.
func TestTwoDirectoriesNumberTheirServices(t *testing.T) {
	dir, words := emptyDesk(t)
	folder := t.TempDir()
	file := func(owner string, n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`{"id":"%d","name":"%s service %d","status":"active"}`, i+1, owner, i+1))
		}
		path := filepath.Join(folder, owner+".json")
		if err := os.WriteFile(path, []byte("["+strings.Join(all, ",")+"]"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	north, south := file("North", 3), file("South", 5)
	bring := func(path string, args ...string) string {
		t.Helper()
		out, exit := kramaRun(t, words, append([]string{"directory", "import", path, "--yes", "--data", dir},
			args...)...)
		if exit != exitOK {
			t.Fatalf("%s %v: %d %s", path, args, exit, out)
		}
		return out
	}
	if out, exit := kramaRun(t, words, "directory", "import", north, "--yes", "--data", dir); exit != exitFailed ||
		!strings.Contains(out, "--from") {
		t.Errorf("nobody's ids: %d %s", exit, out)
	}
	if out := bring(north, "--from", "Northern list"); !strings.Contains(out, "added 3") {
		t.Error(out)
	}
	if out := bring(south, "--from", "Southern list"); !strings.Contains(out, "added 5") || !strings.Contains(out,
		"known already: 0") {
		t.Error(out)
	}
	if err := os.WriteFile(north, []byte(`[{"id":"1","name":"North, renamed","status":"active"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := bring(north, "--from", " northern  List"); !strings.Contains(out, "known already: 1") ||
		!strings.Contains(out, "North, renamed (here: North service 1)") {
		t.Error(out)
	}
	if got := inside(t, dir, words, nil); len(got) != 8 {
		t.Errorf("%d listings", len(got))
	}
}
