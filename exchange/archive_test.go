package exchange

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"krama"
	"krama/casework"
	"krama/guide"
)

const words6 = "acorn bagel cedar dune ember fjord"

// quick derives keys as the program does, but fast enough to try a thousand files; the header keeps its honest number.
func quick(passphrase string) func(*Header) (cipher.AEAD, error) {
	return func(h *Header) (cipher.AEAD, error) {
		fast := *h
		fast.Iterations = 2
		return fast.aead(passphrase)
	}
}

var day = krama.Date(2026, 3, 2)

// id looks random, as ids are: what is measured must not compress better than what is real.
func id[T ~[16]byte](n int) T {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
	return T(sum[:16])
}

// programme folds an invented programme: person n has contacts of her own; person 1 disagrees about her age, person 2
// said no to a record, person 3 withdrew consent to sharing, and contact 0 was entered by mistake.
func programme(t testing.TB, people, contacts int) *Export {
	t.Helper()
	g, err := guide.Load()
	if err != nil {
		t.Fatal(err)
	}
	st := casework.New()
	apply := func(who int, r *krama.Record) {
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
		st.Apply(id[krama.SubjectID](who), r, id[krama.DeviceID](7), false)
	}
	for i := range people {
		var raw [5]byte
		for j := range raw {
			raw[j] = byte(i >> (5 * j) & 31)
		}
		code, err := krama.NewCode(bytes.NewReader(raw[:]))
		if err != nil {
			t.Fatal(err)
		}
		apply(i, &krama.Record{ID: id[krama.RecordID](1000 + i), Person: &krama.Person{Code: code, Gender: 1, Age: 4,
			Languages: krama.Set(0).With(1).With(2), Category: 1, District: 1001, Registered: day}})
		apply(i, &krama.Record{ID: id[krama.RecordID](1e6 + i), Consent: &krama.Consent{Purpose: krama.PurposeRecord,
			Given: i != 2, Date: day}})
		apply(i, &krama.Record{ID: id[krama.RecordID](2e6 + i), Consent: &krama.Consent{Purpose: krama.PurposeShare,
			Given: i != 3, Date: day}})
	}
	for i := range contacts {
		c := &krama.Contact{Date: day + krama.Day(i%300), District: 1001, Place: 1,
			Given: krama.Supplies{uint16(i % 40), 0, 3}, Test: krama.TestAccepted, Topics: krama.Set(0).With(1),
			Services: krama.Set(0).With(2), Safety: krama.SafeYes, Next: day + krama.Day(i%300) + 14}
		apply(i%people, &krama.Record{ID: id[krama.RecordID](1e7 + i), Contact: c})
	}
	amend := func(n, who int, target krama.RecordID, field uint8, v any) {
		raw, err := krama.EncodeValue(v)
		if err != nil {
			t.Fatal(err)
		}
		apply(who, &krama.Record{ID: id[krama.RecordID](n), Amend: &krama.Amend{Target: target, Date: day,
			Changes: []krama.Change{{Field: field, Value: raw, Replaces: []krama.RecordID{target}}}}})
	}
	amend(500, 1, id[krama.RecordID](1001), 3, uint8(4))
	amend(501, 1, id[krama.RecordID](1001), 3, uint8(5))
	amend(502, 1, id[krama.RecordID](1001), 2, uint8(3))
	amend(503, 0, id[krama.RecordID](1e7), 11, true)
	st.Apply(krama.SubjectID{}, &krama.Record{ID: id[krama.RecordID](600),
		Staff: &krama.Staff{Member: id[krama.MemberID](9), Label: "Outreach 3"}}, id[krama.DeviceID](7), false)
	return &Export{State: st, Guide: g, Written: day + 400, Destroy: day + 490, Reason: "the programme closes",
		Recipient: "the board", Version: "test",
		Member: func(d krama.DeviceID) (krama.MemberID, bool) {
			return id[krama.MemberID](9), d == id[krama.DeviceID](7)
		}}
}

func quickArchive(t testing.TB, x *Export) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := write(&b, rand.Reader, Iterations, quick(words6), x); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// collect reads an archive into lines by kind.
func collect(b []byte, passphrase string) (map[string][]map[string]any, error) {
	got := map[string][]map[string]any{}
	_, err := read(bytes.NewReader(b), quick(passphrase), func(kind string, line []byte) error {
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			return err
		}
		got[kind] = append(got[kind], v)
		return nil
	})
	return got, err
}

// TestRoundTrip writes and reads with the true key derivation.
func TestRoundTrip(t *testing.T) {
	x := programme(t, 5, 20)
	var b bytes.Buffer
	n, err := Write(&b, rand.Reader, words6, x)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Counts{People: 4, Contacts: 16, Consents: 8, Disputes: 1, Staff: 1, LeftOut: 1}); n != want {
		t.Errorf("counts: got %+v want %+v", n, want)
	}
	lines := map[string]int{}
	h, err := Read(&b, "  Acorn bagel\tCEDAR dune ember fjord\r\n", func(kind string, _ []byte) error {
		lines[kind]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"archive": 1, "codebook": 1, "words": 1, "staff": 1, "person": 4, "contact": 16,
		"consent": 8, "dispute": 1}
	if !reflect.DeepEqual(lines, want) || h.Destroy != x.Destroy || h.Written != x.Written {
		t.Errorf("got %v %v, want %v", lines, h, want)
	}
}

// TestOldArchiveOpens reads an archive as version 1 wrote it: what was kept must open with every later version.
func TestOldArchiveOpens(t *testing.T) {
	f, err := os.Open("testdata/archive-1.html")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := map[string]int{}
	h, err := Read(f, words6, func(kind string, _ []byte) error { lines[kind]++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"archive": 1, "codebook": 1, "words": 1, "staff": 1, "person": 3, "contact": 3, "consent": 6,
		"dispute": 1}
	if !reflect.DeepEqual(lines, want) || h.Written != day+400 || h.Destroy != day+490 {
		t.Errorf("got %v %v %v, want %v", lines, h.Written, h.Destroy, want)
	}
}

func TestLines(t *testing.T) {
	got, err := collect(quickArchive(t, programme(t, 5, 20)), words6)
	if err != nil {
		t.Fatal(err)
	}
	hex := func(n int) string { return id[krama.SubjectID](n).String() }
	eq := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v want %v", what, got, want)
		}
	}
	var second map[string]any
	for _, p := range got["person"] {
		if p["person"] == hex(2) {
			t.Error("a person who said no to a record is in the archive")
		}
		if p["person"] == hex(1) {
			second = p
		}
	}
	eq("amended gender", second["gender"], "trans-woman")
	eq("languages", second["languages"], []any{"km", "vi"})
	eq("district", second["district"], "1001")
	eq("registered", second["registered"], "2026-03-02")
	eq("by", second["by"], hex(9))
	d := got["dispute"][0]
	eq("dispute", []any{d["of"], d["field"], d["person"], len(d["values"].([]any))}, []any{"person", "age", hex(1), 2})
	var said []any
	for _, v := range d["values"].([]any) {
		said = append(said, v.(map[string]any)["value"])
	}
	if !slices.Contains(said, any("20-24")) || !slices.Contains(said, any("25-29")) {
		t.Errorf("its values: %v", said)
	}
	mistakes := 0
	for _, c := range got["contact"] {
		if c["entered_by_mistake"] == true {
			mistakes++
			eq("given", c["given"], map[string]any{"lubricant": 3.0})
			eq("topics", c["topics"], []any{"hiv"})
			eq("test", c["test"], "accepted")
		}
	}
	eq("mistakes", mistakes, 1)
	eq("staff", got["staff"][0]["label"], "Outreach 3")
	eq("reason", got["archive"][0]["reason"], "the programme closes")
	refused := 0
	for _, c := range got["consent"] {
		if c["purpose"] == "share" && c["given"] == false {
			refused++
		}
	}
	eq("refusals to share", refused, 1)
}

// TestNothingReadableOutsideTheSeal looks for what is inside in the file as it lies on a disk.
func TestNothingReadableOutsideTheSeal(t *testing.T) {
	b := quickArchive(t, programme(t, 5, 20))
	for _, s := range []string{"the programme closes", "the board", "Outreach 3", "trans-woman", "20-24", "Chhloung",
		"Woman", "Talked about", words6} {
		if bytes.Contains(b, []byte(s)) {
			t.Errorf("%q can be read without the passphrase", s)
		}
	}
}

// parts takes an archive apart: the page, the lines of the sealed part, and the end.
func parts(t testing.TB, b []byte) (page string, lines []string) {
	t.Helper()
	i := bytes.Index(b, []byte("\n"+magic)) + 1
	s, ok := strings.CutSuffix(string(b[i:]), ending)
	if i == 0 || !ok {
		t.Fatal("not an archive")
	}
	return string(b[:i]), strings.SplitAfter(strings.TrimSuffix(s, "\n"), "\n")
}

func wantKind(t *testing.T, what string, b []byte, passphrase string, kinds ...krama.Kind) {
	t.Helper()
	_, err := collect(b, passphrase)
	for _, k := range kinds {
		if errors.Is(err, k) {
			return
		}
	}
	t.Errorf("%s: got %v want %v", what, err, kinds)
}

// big is a sealed page of four chunks of noise.
func big(t testing.TB) []byte {
	t.Helper()
	x := programme(t, 5, 1)
	w := new(bytes.Buffer)
	page, err := Page()
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 3*chunkSize+1000)
	rand.Read(noise)
	err = seal(w, page, Header{Iterations: Iterations, Salt: [16]byte(noise), Written: x.Written, Destroy: x.Destroy},
		quick(words6), func(s io.Writer) error {
			_, err := s.Write(noise)
			return err
		})
	if err != nil {
		t.Fatal(err)
	}
	return w.Bytes()
}

// openAll opens every chunk and returns the number of bytes.
func openAll(b []byte) (int, error) {
	_, o, err := open(bytes.NewReader(b), quick(words6))
	if err != nil {
		return 0, err
	}
	var out bytes.Buffer
	_, err = out.ReadFrom(o)
	return out.Len(), err
}

func TestWrongPassphrase(t *testing.T) {
	b := quickArchive(t, programme(t, 3, 5))
	wantKind(t, "another word", b, "acorn bagel cedar dune ember fjords", krama.CannotDecrypt)
	wantKind(t, "nothing", b, "", krama.CannotDecrypt)
}

// TestChangedFile changes each region of a file in each way and expects a refusal of the right class, natively.
func TestChangedFile(t *testing.T) {
	b := quickArchive(t, programme(t, 3, 5))
	page, lines := parts(t, b)
	join := func(page string, lines []string, end string) []byte {
		return []byte(page + strings.Join(lines, "") + "\n" + end)
	}
	if _, err := collect(join(page, lines, ending), words6); err != nil {
		t.Fatalf("untouched: %v", err)
	}
	flip := func(at int) []byte { c := bytes.Clone(b); c[at] ^= 1; return c }
	for at := range b {
		if middle(at, 0, len(page)) && at%997 != 0 || middle(at, len(page)+200, len(b)) && at%13 != 0 {
			continue // of the page and of the sealed part, a sample
		}
		kinds := []krama.Kind{krama.Tampered}
		if header := at - len(page); header >= 0 && header < len(magic)+headerSize*4/3+4 {
			kinds = []krama.Kind{krama.Tampered, krama.CannotDecrypt, krama.NotYet, krama.Invalid}
		} else if at < len(page) {
			kinds = []krama.Kind{krama.Tampered, krama.Invalid}
		}
		wantKind(t, fmt.Sprintf("a bit at byte %d of %d", at, len(b)), flip(at), words6, kinds...)
	}
	raw, err := decode([]byte(strings.TrimSuffix(lines[1], "\n")))
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		for bit := range 8 {
			c := bytes.Clone(raw)
			c[i] ^= 1 << bit
			l := append([]string(nil), lines...)
			l[1] = base64.StdEncoding.EncodeToString(c) + "\n"
			wantKind(t, fmt.Sprintf("header byte %d bit %d", i, bit), join(page, l, ending), words6, krama.Tampered,
				krama.CannotDecrypt, krama.NotYet)
		}
	}
	for cut := range b {
		if middle(cut, 0, len(page)) && cut%997 != 0 || middle(cut, len(page), len(b)) && cut%53 != 0 {
			continue
		}
		wantKind(t, fmt.Sprintf("cut at %d", cut), b[:cut], words6, krama.Tampered, krama.Invalid)
	}
	wantKind(t, "something after the end", append(bytes.Clone(b), '\n'), words6, krama.Tampered)
	wantKind(t, "no chunk", join(page, []string{lines[0], strings.TrimSuffix(lines[1], "\n")}, ending), words6,
		krama.Tampered)
	wantKind(t, "a line end inside a chunk", join(page, []string{lines[0], lines[1], lines[2][:8] + "\r" +
		lines[2][8:]}, ending), words6, krama.Tampered)
}

// middle reports whether a place is far from both ends of a part.
func middle(at, from, to int) bool { return at > from+200 && at < to-200 }

func TestMovedChunks(t *testing.T) {
	b := big(t)
	if n, err := openAll(b); err != nil || n != 3*chunkSize+1000 {
		t.Fatalf("untouched: %d %v", n, err)
	}
	page, l := parts(t, b)
	l[len(l)-1] += "\n"
	try := func(what string, order ...int) {
		t.Helper()
		s := page + l[0] + l[1]
		for _, i := range order {
			s += l[2+i]
		}
		if _, err := openAll([]byte(s + ending)); !errors.Is(err, krama.Tampered) {
			t.Errorf("%s: got %v want tampered", what, err)
		}
	}
	try("two exchanged", 1, 0, 2, 3)
	try("the first missing", 1, 2, 3)
	try("a middle one missing", 0, 2, 3)
	try("the last missing", 0, 1, 2)
	try("one twice", 0, 0, 1, 2, 3)
	try("the last first", 3, 0, 1, 2)
	try("something after the last", 0, 1, 2, 3, 3)
	_, other := parts(t, big(t))
	l[2] = other[2]
	try("a chunk of another archive", 0, 1, 2, 3)
}

func TestRefusals(t *testing.T) {
	for what, spoil := range map[string]func(*Export){
		"no reason":     func(x *Export) { x.Reason = "" },
		"no recipient":  func(x *Export) { x.Recipient = "" },
		"a long reason": func(x *Export) { x.Reason = strings.Repeat("a", MaxReason+1) },
		"kept for ever": func(x *Export) { x.Destroy = x.Written + MaxKeepDays + 1 },
		"gone at once":  func(x *Export) { x.Destroy = x.Written },
	} {
		x := programme(t, 3, 3)
		spoil(x)
		var b bytes.Buffer
		if _, err := Write(&b, rand.Reader, words6, x); !errors.Is(err, krama.Invalid) || b.Len() != 0 {
			t.Errorf("%s: got %v and %d bytes", what, err, b.Len())
		}
	}
}

// FuzzArchive: whatever a file holds, reading it ends, and ends in an error of a class, or gives lines.
func FuzzArchive(f *testing.F) {
	b := quickArchive(f, programme(f, 3, 3))
	page, _ := Page()
	f.Add(b[len(page):])
	f.Add([]byte(magic))
	f.Add([]byte(magic + base64.StdEncoding.EncodeToString(make([]byte, headerSize)) + "\nAAAA\n" + ending))
	f.Add(b[len(page) : len(b)-len(ending)])
	f.Fuzz(func(t *testing.T, sealed []byte) {
		_, err := collect(append(bytes.Clone(page), sealed...), words6)
		if err != nil && krama.KindOf(err) == krama.Internal {
			t.Errorf("an error without a class: %v", err)
		}
	})
}

// BenchmarkArchive writes and reads whole programmes of several sizes, 30 contacts a person.
func BenchmarkArchive(b *testing.B) {
	for _, contacts := range []int{20_000, 1_000_000} {
		x := programme(b, contacts/30, contacts)
		var w bytes.Buffer
		b.Run(fmt.Sprintf("write-%d", contacts), func(b *testing.B) {
			for b.Loop() {
				w.Reset()
				if _, err := Write(&w, rand.Reader, words6, x); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(w.Len())/1e6, "MB")
			}
		})
		b.Run(fmt.Sprintf("read-%d", contacts), func(b *testing.B) {
			for b.Loop() {
				if _, err := Read(bytes.NewReader(w.Bytes()), words6, func(string, []byte) error {
					return nil
				}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
