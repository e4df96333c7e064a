// Package site serves the public origin: the start page and the phone's program under /app/. It is never the relay's
// origin.
package site

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"

	"krama"
	"krama/web/door"
)

// built holds what `make phone` makes: the core and Go's own start script. The README keeps the folder in the tree.
//
//go:embed built
var built embed.FS

// Config says what the site's program talks to.
type Config struct {
	Relay   string // the relay's address as a phone reaches it
	Demo    bool
	Version string
	Office  Office // the demo's office half; nil outside the demo

	// Door is what the public pages are made of; nil for a site that serves phones alone. Asset and Relay are set by
	// the site.
	Door *door.Config
}

// Office is the office's half of an enrolment, for the demo's side-by-side page.
type Office interface {
	Scan(code string) (qr string, err error)
	Finish() error
}

// asset is one file as it is served: packed where that helps, and plain for who takes nothing packed.
type asset struct {
	plain func() ([]byte, error)
	br    func() []byte // nil: it is served plain alone
	typ   string
}

// packed serves a file that is packed when it is first asked for: the best packing takes most of a second for all of
// them together, and would be waited for at every start.
func packed(body []byte, typ string) asset {
	return asset{func() ([]byte, error) { return body, nil }, sync.OnceValue(func() []byte {
		return compress(body)
	}), typ}
}

// Site serves the public origin.
type Site struct {
	// Nothing here changes after New, so requests share it without a lock.
	cfg     Config
	files   map[string]asset  // by path
	names   map[string]string // plain name to path
	index   []byte
	release [32]byte
	door    *door.Door
	mux     *http.ServeMux
}

// phoneFiles are what a phone needs, beside the page itself, to work without a network.
var phoneFiles = []string{"app.css", "icon.svg", "khmer.woff2", "khmer-bold.woff2", "app.js", "scan.js", "worker.js",
	"wasm_exec.js", "krama.wasm"}

// New builds the site. It fails with NotFound when the phone's core was not built.
func New(c Config) (*Site, error) {
	s := &Site{cfg: c, files: map[string]asset{}, names: map[string]string{}, mux: http.NewServeMux()}
	p, err := load(built)
	if err != nil {
		return nil, err
	}
	if s.release, err = p.release(); err != nil {
		return nil, err
	}
	for _, f := range p.files {
		s.add(f)
	}
	if err := s.shell(p); err != nil {
		return nil, err
	}
	// A copy: the caller's stays as it was given.
	if c.Door != nil {
		public := *c.Door
		lock := s.lockAssets()
		public.Relay, public.Asset = c.Relay, func(name string) string { return lock[name] }
		if s.door, err = door.New(context.Background(), public); err != nil {
			return nil, err
		}
	}
	s.routes()
	return s, nil
}

// lockPath is before what only the page for reporting loads. Nothing under it stays in a browser: who looks into its
// cache afterwards must not see that the form was opened. The phone's program has the same files elsewhere, and keeps
// them.
const lockPath = "/lock/"

// lockAssets serves the assets of the page for reporting, and returns their addresses there by their plain names.
func (s *Site) lockAssets() map[string]string {
	out := map[string]string{}
	for _, name := range []string{"wasm_exec.js", "report.wasm"} {
		out[name] = lockPath + path.Base(s.names[name])
		s.files[out[name]] = s.files[s.names[name]]
	}
	return out
}

// Door is the site's public pages, or nil.
func (s *Site) Door() *door.Door { return s.door }

// add serves an asset under a name that holds its hash.
func (s *Site) add(f file) {
	typ := mime.TypeByExtension(path.Ext(f.name))
	switch path.Ext(f.name) {
	case ".js":
		typ = "text/javascript; charset=utf-8"
	case ".wasm":
		typ = "application/wasm"
	case ".woff2":
		typ = "font/woff2"
	}
	a := packed(f.body, typ)
	switch {
	case f.body == nil: // the core is kept packed alone
		a.plain, a.br = unpacked(f.br), func() []byte { return f.br }
	case strings.HasSuffix(f.name, ".woff2"):
		a.br = nil
	}
	s.files[f.path()] = a
	s.names[f.name] = f.path()
}

// compress packs as small as Brotli can: it is done once and travels over many slow lines.
func compress(b []byte) []byte {
	var out bytes.Buffer
	w := brotli.NewWriterLevel(&out, brotli.BestCompression)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

// shell fills in the page and the service worker.
func (s *Site) shell(p *program) error {
	// The page names every file by its hash, so that page and files are always of one release.
	names, err := json.Marshal(s.names)
	if err != nil {
		return krama.Wrap("site.shell", err)
	}
	demo := "0"
	if s.cfg.Demo {
		demo = "1"
	}
	s.index = []byte(strings.NewReplacer("RELAY", s.cfg.Relay, `content="DEMO"`, `content="`+demo+`"`, "VERSION",
		s.cfg.Version,
		`content="RELEASE"`, `content="`+hex.EncodeToString(s.release[:])+`"`, "ICON", s.names["icon.svg"], `"TOUCH"`,
		`"`+s.names["icon-192.png"]+`"`,
		`"CSS"`, `"`+s.names["app.css"]+`"`, "ASSETS", string(names), `"SCAN"`, `"`+s.names["scan.js"]+`"`, `"APP"`,
		`"`+s.names["app.js"]+`"`).Replace(string(p.index)))
	s.files["/app/"] = packed(s.index, "text/html; charset=utf-8")
	s.files["/app/manifest.webmanifest"] = packed(p.manifest, "application/manifest+json")
	var list []string
	for _, f := range phoneFiles {
		list = append(list, s.names[f])
	}
	list = append(list, "/app/manifest.webmanifest")
	slices.Sort(list)
	files, _ := json.Marshal(list)
	// The service worker's cache is named after all it holds: another release begins another one.
	sum := sha256.Sum256(append(files, s.index...))
	sw := []byte(strings.NewReplacer("VERSION", hex.EncodeToString(sum[:8]), "ASSETS", string(files)).Replace(
		string(p.worker)))
	s.files["/app/sw.js"] = packed(sw, "text/javascript; charset=utf-8")
	return nil
}

// routes registers what the site has: the public pages or the start page, the phone's program, and in the demo the
// office beside it.
func (s *Site) routes() {
	if s.door != nil {
		s.mux.Handle("/", s.door)
		s.mux.HandleFunc("GET "+lockPath, s.file)
	} else {
		s.mux.HandleFunc("GET /{$}", s.start)
	}
	s.mux.HandleFunc("GET /app", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/app/", http.StatusMovedPermanently)
	})
	s.mux.HandleFunc("GET /app/", s.file)
	if s.cfg.Office != nil {
		s.mux.HandleFunc("GET /demo", s.start)
		// Another page that is open in the same browser must not enrol anything here.
		same := http.NewCrossOriginProtection()
		s.mux.Handle("POST /demo/scan", same.Handler(http.HandlerFunc(s.demoScan)))
		s.mux.Handle("POST /demo/finish", same.Handler(http.HandlerFunc(s.demoFinish)))
	}
}

// ServeHTTP serves the site. It sets no cookie and logs nothing.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "geolocation=(), microphone=(), camera=(self)")
	h.Set("Content-Security-Policy", s.policy(r.URL.Path))
	s.mux.ServeHTTP(w, r)
}

// policy is the content policy of a path. Under /app/, whose page has every key, nothing becomes a script but what this
// origin serves. Public pages set their own after it.
func (s *Site) policy(p string) string {
	if !strings.HasPrefix(p, "/app/") {
		return "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; font-src 'self'; " +
			"connect-src 'self'; frame-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
	}
	ancestors := "'none'"
	if s.cfg.Demo {
		ancestors = "'self'"
	}
	return "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self' " +
		s.cfg.Relay +
		"; style-src 'self'; img-src 'self'; font-src 'self'; manifest-src 'self'; form-action 'none'; base-uri " +
		"'none'; frame-ancestors " + ancestors +
		"; require-trusted-types-for 'script'; trusted-types krama"
}

// file serves one file of the program. Names with a hash are kept for ever, the page and the service worker are asked
// about each time.
func (s *Site) file(w http.ResponseWriter, r *http.Request) {
	f, ok := s.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.typ)
	switch {
	case strings.HasPrefix(r.URL.Path, lockPath):
		h.Set("Cache-Control", "no-store")
	case strings.HasPrefix(r.URL.Path, "/app/a/"):
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	default:
		h.Set("Cache-Control", "no-cache")
	}
	h.Set("Vary", "Accept-Encoding")
	if f.br != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "br") {
		h.Set("Content-Encoding", "br")
		w.Write(f.br())
		return
	}
	body, err := f.plain()
	if err != nil {
		http.Error(w, "asset", http.StatusInternalServerError)
		return
	}
	w.Write(body)
}

// FirstVisit is how many bytes a phone fetches to work offline, compressed as they travel, and the core's share of
// them.
func (s *Site) FirstVisit() (total, core int) {
	size := func(p string) int {
		if f := s.files[p]; f.br != nil {
			return len(f.br())
		}
		b, _ := s.files[p].plain() // the core is packed
		return len(b)
	}
	for _, f := range phoneFiles {
		total += size(s.names[f])
	}
	return total + size("/app/") + size("/app/sw.js") + size("/app/manifest.webmanifest"), size(s.names["krama.wasm"])
}
