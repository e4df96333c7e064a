package site

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/andybalholm/brotli"

	"krama"
	"krama/seal"
	"krama/web"
)

// program is what phones are served that is the same at every site of a version: the assets and the web manifest as
// they are served, the page and the service worker before the relay's address and the version are filled in.
type program struct {
	files                   []file
	index, worker, manifest []byte
}

// file is one asset. The core is kept compressed alone.
type file struct {
	name     string
	body, br []byte
}

// path holds the file's hash, so that it never changes under its name.
func (f file) path() string {
	h := sha256.New()
	h.Write(f.body)
	h.Write(f.br)
	return "/app/a/" + hex.EncodeToString(h.Sum(nil)[:8]) + "-" + f.name
}

// load reads the program. It fails with NotFound when the core was not built.
func load(built fs.FS) (*program, error) {
	static := map[string][]byte{}
	assets := []string{"icon.svg", "icon-192.png", "icon-512.png", "icon-mask.png", "khmer.woff2", "khmer-bold.woff2",
		"scan.js", "jsqr.js", "app.js", "worker.js", "demo.js", "app.css"}
	for _, name := range append([]string{"index.html", "sw.js", "manifest.webmanifest"}, assets...) {
		b, err := web.Static.ReadFile("static/" + name)
		if err != nil {
			return nil, krama.Wrap("site.load", err)
		}
		static[name] = b
	}
	// Style sheet and manifest name other files. They are linked before their own hashes are taken.
	link := func(in, word, name string) {
		path := file{name, static[name], nil}.path()
		static[in] = bytes.ReplaceAll(static[in], []byte(`"`+word+`"`), []byte(`"`+path+`"`))
	}
	link("app.css", "khmer.woff2", "khmer.woff2")
	link("app.css", "khmer-bold.woff2", "khmer-bold.woff2")
	for word, name := range map[string]string{"ICON": "icon.svg", "SMALL": "icon-192.png", "LARGE": "icon-512.png",
		"MASK": "icon-mask.png"} {
		link("manifest.webmanifest", word, name)
	}
	p := &program{index: static["index.html"], worker: static["sw.js"], manifest: static["manifest.webmanifest"]}
	for _, name := range assets {
		p.files = append(p.files, file{name, static[name], nil})
	}
	exec, err1 := fs.ReadFile(built, "built/wasm_exec.js")
	core, err2 := fs.ReadFile(built, "built/krama.wasm.br")
	report, err3 := fs.ReadFile(built, "built/report.wasm.br")
	if err1 != nil || err2 != nil || err3 != nil {
		return nil, krama.E("site.load", krama.NotFound, "the phone's program is not in this build; run: make build")
	}
	p.files = append(p.files, file{"wasm_exec.js", exec, nil}, file{"krama.wasm", nil, core}, file{"report.wasm",
		nil, report})
	return p, nil
}

// plain are the program's files by the names a release gives them, as a browser sees them: not compressed.
func (p *program) plain() (map[string][]byte, error) {
	out := map[string][]byte{"phone/index.html": p.index, "phone/sw.js": p.worker,
		"phone/manifest.webmanifest": p.manifest}
	for _, f := range p.files {
		b := f.body
		if f.br != nil {
			var err error
			if b, err = expand(f.br); err != nil {
				return nil, krama.Wrap("site.plain", err)
			}
		}
		out["phone/"+f.name] = b
	}
	return out, nil
}

// release is the hash of the program as phones see it, without what a site fills in.
func (p *program) release() ([32]byte, error) {
	files, err := p.plain()
	if err != nil {
		return [32]byte{}, err
	}
	var sums []seal.ReleaseFile
	for name, b := range files {
		sums = append(sums, seal.ReleaseFile{Name: name, Sum: seal.SHA256(b)})
	}
	return seal.PhoneRelease(sums), nil
}

// PhoneFiles are the files of this program's phone release by their names in a manifest. It fails with NotFound when
// the phone's core was not built.
func PhoneFiles() (map[string][]byte, error) {
	p, err := load(built)
	if err != nil {
		return nil, err
	}
	return p.plain()
}

// PhoneRelease is the hash of what the site of this program serves phones: the same number a phone's page carries as
// its release, and seal.Release.Phone of the manifest it was released with. It is worked out anew at each call, which
// takes about a tenth of a second. It fails with NotFound when the phone's core was not built.
func PhoneRelease() ([32]byte, error) {
	p, err := load(built)
	if err != nil {
		return [32]byte{}, err
	}
	return p.release()
}

// Release is PhoneRelease of a site.
func (s *Site) Release() [32]byte { return s.release }

// expand unpacks a whole file.
func expand(br []byte) ([]byte, error) { return io.ReadAll(brotli.NewReader(bytes.NewReader(br))) }

// Paths are the paths phones are served, in order.
func (s *Site) Paths() []string { return slices.Sorted(maps.Keys(s.files)) }

// Served is what the site answers to one path when the caller takes nothing compressed, for comparing it with another
// site's.
func (s *Site) Served(path string) ([]byte, http.Header) {
	a := &answer{header: http.Header{}}
	s.ServeHTTP(a, &http.Request{Method: "GET", URL: &url.URL{Path: path}, Header: http.Header{}})
	return a.body.Bytes(), a.header
}

// answer collects a response in memory.
type answer struct {
	header http.Header
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(int)             {}
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }
