package door

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"krama"
	"krama/locale"
)

// The handlers of the public pages.

// audioTypes are the recordings a programme may lay into the folder.
var audioTypes = map[string]string{".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".ogg": "audio/ogg", ".opus": "audio/ogg"}

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
