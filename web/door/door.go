// Package door is what anybody sees of a programme, without an account, a cookie or a trace: finding help, rights,
// reporting, slips. Every page is made beforehand, for nobody in particular, when the programme publishes or the day
// changes; a request picks one. What is asked travels in the body of a request and never in an address, and every
// answer has the same size, so that who looks at the line or into the browser's history sees a visit and not what it
// was about.
package door

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"krama"
	"krama/directory"
	"krama/guide"
	"krama/guide/rights"
	"krama/locale"
)

// Config is what the public pages are made of.
type Config struct {
	// Nothing in it changes after New. Answer is called by several requests at once.
	Guide   *guide.Guide
	Starter []krama.Listing                                    // shown while the programme has published nothing
	Rights  []rights.Text                                      // shipped drafts
	Load    func(context.Context) ([]byte, error)              // the published door; NotFound while there is none
	Answer  func(context.Context, krama.SlipCode, uint8) error // takes the answer to a slip
	Relay   string                                             // where reports go, as a browser reaches it
	Asset   func(name string) string                           // address of the sealing module and its scripts
	Exit    string                                             // where leaving at once leads
	// folder of recordings by the number of a need: 1.mp3; or ""
	Audio string
	// file that keeps the last door whose pages could be made; or ""
	Last string
	// hears, without content, of a door that was stepped over; or nil
	Tell   func(error)
	Drafts bool // show what nobody has reviewed, under a banner
	Demo   bool
	Now    func() time.Time
}

// Largest is how many bytes a page may have as it travels: what a new connection carries before it waits for an answer.
const Largest = 14_000

// css stands inside every page, and its hash in the policy.
//
//go:embed door.css
var css string

// script is what every page loads, and worker what the pages for reporting load beside it.
//
//go:embed door.js
var script []byte

//go:embed report.js
var worker []byte

// key names a page: which, about which need or topic, for which district, in which language.
type key struct {
	// n is the code of a need, or counts texts, listings or what can be said of a slip. place is 0 for everywhere.
	page  string // two letters
	n     int
	place uint16
	lang  string
}

// String is the page's name in a request: ten characters, so that every request has the same size too.
func (k key) String() string { return fmt.Sprintf("%s%02d%04d%s", k.page, k.n, k.place, k.lang) }

// parseKey reads a page's name. Whether there is such a page shows when it is sent.
func parseKey(s string) (k key, ok bool) {
	if len(s) != 10 {
		return k, false
	}
	n, err1 := strconv.ParseUint(s[2:4], 10, 8)
	d, err2 := strconv.ParseUint(s[4:8], 10, 16)
	return key{s[:2], int(n), uint16(d), s[8:]}, err1 == nil && err2 == nil
}

// blob is a page as it is sent. Both forms have the same size on every page.
type blob struct{ plain, zipped []byte }

// pages are everything that one day and one door give.
type pages struct {
	// Made whole and then only read, so that requests share it without a lock.
	all   map[key]blob
	packs map[string][]byte // by language
	hsds  *hsdsData
	door  *directory.Door
	raw   []byte // as it was published; nil where nothing was
	today krama.Day
	most  int // bytes of the largest page before padding
}

// Door serves the public pages. It is safe for concurrent use and keeps nothing about who asks.
type Door struct {
	// now is replaced whole whenever pages are made. Everything else is as New made it.
	Config
	now     atomic.Pointer[pages]
	csp     string
	scripts map[string][]byte
	mux     *http.ServeMux
}

// New makes the pages of today: of the door that is published, or, where that cannot be read or no pages come of it, of
// the last one that was good, or of the starter's listings. A bad door never keeps the relay from starting.
func New(ctx context.Context, c Config) (*Door, error) {
	d := &Door{Config: c, scripts: map[string][]byte{}, mux: http.NewServeMux()}
	// The one style that stands in a page is named by its hash, and no other is applied.
	sum := sha256.Sum256([]byte(css))
	d.csp = "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self' " +
		c.Relay + "; img-src data:; media-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	// Under addresses that change with them: no browser takes an old script for a new page.
	d.scripts["/door/"+hashed(script)+".js"] = script
	d.scripts["/door/"+hashed(worker)+"-w.js"] = worker
	d.mux.HandleFunc("GET /{$}", d.home)
	d.mux.HandleFunc("GET /{lang}", d.homeIn)
	d.mux.HandleFunc("POST /{$}", d.page)
	d.mux.HandleFunc("POST /slip", d.slip)
	d.mux.HandleFunc("GET /door/{name}", d.asset)
	d.mux.HandleFunc("GET /pack/{lang}", d.pack)
	d.mux.HandleFunc("GET /audio/{name}", d.audio)
	d.hsdsRoutes()
	// It may say why the published door gave no pages and have made others all the same.
	err := d.Refresh(ctx)
	if d.now.Load() == nil {
		return nil, err
	}
	if err != nil && d.Tell != nil {
		d.Tell(err)
	}
	return d, nil
}

// hashed names a file by the beginning of its hash.
func hashed(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:8]) }

// scriptPath and workerPath are the addresses of the page's scripts.
func (d *Door) scriptPath() string { return "/door/" + hashed(script) + ".js" }
func (d *Door) workerPath() string { return "/door/" + hashed(worker) + "-w.js" }

// zip compresses a page and, unless extra is below 0, adds two bytes and that many in gzip's own field for what readers
// skip.
func zip(b []byte, extra int) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	// Zeros there cost their length and no more: they are not compressed, so the size is known beforehand.
	if extra >= 0 {
		w.Header.Extra = make([]byte, extra)
	}
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}

// Policy is the content policy of the public pages.
func (d *Door) Policy() string { return d.csp }

// ServeHTTP serves the public pages. It sets no cookie and logs nothing.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Nothing may be framed, sniffed or told to another site, whichever page it is.
	h := w.Header()
	h.Set("Content-Security-Policy", d.csp)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "geolocation=(), microphone=(), camera=()")
	d.mux.ServeHTTP(w, r)
}

// send answers with one page as it was made. Whichever page it is, and whatever the status, the answer has the same
// size and headers.
func (d *Door) send(w http.ResponseWriter, r *http.Request, status int, k key) {
	p := d.now.Load()
	b, ok := p.all[k]
	if !ok {
		lang := k.lang
		if !known(lang) {
			lang = locale.Match(r.Header.Get("Accept-Language"))
		}
		b = p.all[key{"hm", 0, 0, lang}] // what nobody made leads home
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept-Encoding")
	// A browser that takes no gzip gets a larger page, of one size as well.
	body := b.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = b.zipped
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

// known reports whether the pages are made in a language.
func known(lang string) bool {
	for _, l := range locale.Languages {
		if l.Code == lang {
			return true
		}
	}
	return false
}

// home is the first page, in the language that the browser asks for.
func (d *Door) home(w http.ResponseWriter, r *http.Request) {
	d.send(w, r, http.StatusOK, key{page: "hm", lang: locale.Match(r.Header.Get("Accept-Language"))})
}

// homeIn is the first page in the language that the address names. No other page has an address.
func (d *Door) homeIn(w http.ResponseWriter, r *http.Request) {
	if !known(r.PathValue("lang")) {
		http.NotFound(w, r)
		return
	}
	d.send(w, r, http.StatusOK, key{page: "hm", lang: r.PathValue("lang")})
}

// maxForm bounds what a page sends: one field of ten characters, or a slip's code.
const maxForm = 256

// page gives the page that a form names. What names none gives the first page, so that a mistake looks like any other
// visit.
func (d *Door) page(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	k, ok := parseKey(r.PostFormValue("q"))
	if !ok {
		k = key{page: "hm", lang: locale.Match(r.Header.Get("Accept-Language"))}
	}
	d.send(w, r, http.StatusOK, k)
}

// slip takes what a service says of a slip. A code that is not well made is said to be mistyped; no answer tells
// whether a well made one exists.
func (d *Door) slip(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	lang := r.PostFormValue("l")
	if !known(lang) {
		lang = locale.Match(r.Header.Get("Accept-Language"))
	}
	// said is the page that answers: 1 thanks, 2 asks to look at the code again, 3 to try later.
	said, status := 1, http.StatusOK
	code, err := krama.ParseSlipCode(r.PostFormValue("c"))
	what, _ := strconv.ParseUint(r.PostFormValue("a"), 10, 8)
	if err != nil || uint8(what) < krama.OutcomeAccepted || uint8(what) > krama.OutcomeCouldNot {
		said, status = 2, http.StatusUnprocessableEntity
	} else if err := d.Answer(r.Context(), code, uint8(what)); err != nil {
		said, status = 3, krama.Status(err)
	}
	d.send(w, r, status, key{"sl", said, 0, lang})
}

// asset serves the page's own scripts.
func (d *Door) asset(w http.ResponseWriter, r *http.Request) {
	b, ok := d.scripts[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	if r.URL.Path == d.workerPath() { // only who reports loads it: it must not stay
		w.Header().Set("Cache-Control", "no-store")
	} else {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	w.Write(b)
}

// pack is the whole directory of a language as one page that opens without a network.
func (d *Door) pack(w http.ResponseWriter, r *http.Request) {
	b, ok := d.now.Load().packs[r.PathValue("lang")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	// Larger than a page: whoever watches the line can tell that the directory was taken.
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Disposition", `attachment; filename="krama-`+r.PathValue("lang")+`.html"`)
	w.Write(b)
}

// audioTypes are the recordings a programme may lay into the folder.
var audioTypes = map[string]string{".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".ogg": "audio/ogg", ".opus": "audio/ogg"}

// audio serves a recording from the programme's folder, and nothing else of the disk.
func (d *Door) audio(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	typ, ok := audioTypes[filepath.Ext(name)]
	if d.Audio == "" || !ok || strings.ContainsAny(name, `/\`) || strings.HasPrefix(name, ".") {
		http.NotFound(w, r)
		return
	}
	f, err := os.Open(filepath.Join(d.Audio, name))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", typ)
	w.Header().Set("Cache-Control", "no-store")
	// Without a time: browsers are given nothing to ask about again.
	http.ServeContent(w, r, "", time.Time{}, f)
}

// recording is the address of a need's recording, or "".
func (d *Door) recording(need uint8) string {
	if d.Audio == "" {
		return ""
	}
	// Where there are several the first in this order is offered.
	for _, ext := range []string{".mp3", ".m4a", ".ogg", ".opus"} {
		name := strconv.Itoa(int(need)) + ext
		if st, err := os.Stat(filepath.Join(d.Audio, name)); err == nil && st.Mode().IsRegular() {
			return "/audio/" + name
		}
	}
	return ""
}

// Keep makes the pages anew whenever told tells and when the day changes, until ctx ends. A door that cannot be read
// leaves the last pages standing; tell hears of it without content.
func (d *Door) Keep(ctx context.Context, told <-chan struct{}, tell func(error)) {
	// Ten minutes after midnight at the latest the pages are of the new day.
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-told:
		case <-tick.C:
			if krama.DayOf(d.Now()) == d.now.Load().today {
				continue
			}
		}
		if err := d.Refresh(ctx); err != nil {
			tell(err)
		}
	}
}

// Size is the size of every page as it travels, and of the largest before it was evened out, in bytes.
func (d *Door) Size() (every, largest int) {
	p := d.now.Load()
	// Any of them: all have one size.
	for _, b := range p.all {
		return len(b.zipped), p.most
	}
	return 0, 0
}

// Keys lists the names of every page, as a request says them.
func (d *Door) Keys() (out []string) {
	for k := range d.now.Load().all {
		out = append(out, k.String())
	}
	return out
}
