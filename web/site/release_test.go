package site

import (
	"bytes"
	"encoding/hex"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"krama"
	"krama/seal"
)

func fakeBuilt(core string) fstest.MapFS {
	return fstest.MapFS{"built/wasm_exec.js": {Data: []byte("exec")},
		"built/krama.wasm.br":  {Data: compress([]byte(core))},
		"built/report.wasm.br": {Data: compress([]byte("report"))}}
}

// TestProgram checks that a release covers everything a phone is served, as it is served.
func TestProgram(t *testing.T) {
	if _, err := load(fstest.MapFS{}); krama.KindOf(err) != krama.NotFound {
		t.Errorf("without a core: got %v want not found", err)
	}
	p, err := load(fakeBuilt("core"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := p.plain()
	if err != nil {
		t.Fatal(err)
	}
	if got := string(files["phone/krama.wasm"]); got != "core" {
		t.Errorf("the core is %q, want it as a browser sees it", got)
	}
	for _, f := range phoneFiles {
		if files["phone/"+f] == nil {
			t.Errorf("%s is served and not in the release", f)
		}
	}
	if bytes.Contains(files["phone/app.css"], []byte(`url("khmer`)) ||
		bytes.Contains(files["phone/manifest.webmanifest"], []byte("ICON")) {
		t.Error("a file is in the release as it is in the tree, not as it is served")
	}
	first, _ := p.release()
	p2, _ := load(fakeBuilt("cora"))
	if second, _ := p2.release(); first == second {
		t.Error("another core is the same release")
	}
	bad := fakeBuilt("core")
	bad["built/krama.wasm.br"].Data = []byte("not compressed")
	if p, err := load(bad); err != nil {
		t.Error(err)
	} else if _, err := p.release(); err == nil {
		t.Error("a core that cannot be read has a release")
	}
}

// TestRelease checks that the page says what the desk says, and that every served byte is the release's.
func TestRelease(t *testing.T) {
	s, err := New(Config{Relay: "https://relay.example", Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	want, err := PhoneRelease()
	if err != nil || s.Release() != want {
		t.Fatalf("the site's release is not the program's: %v", err)
	}
	get := func(path string) []byte {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 200 {
			t.Fatalf("%s: %d", path, w.Code)
		}
		return w.Body.Bytes()
	}
	files, err := PhoneFiles()
	if err != nil {
		t.Fatal(err)
	}
	var sums []seal.ReleaseFile
	for name, b := range files {
		sums = append(sums, seal.ReleaseFile{Name: name, Sum: seal.SHA256(b)})
	}
	r := seal.Release{Version: "v1", Commit: strings.Repeat("a", 40), Files: sums}
	if r.Phone() != want {
		t.Error("a manifest of these files has another phone release")
	}
	page := string(get("/app/"))
	if !strings.Contains(page, `<meta name="release" content="`+hex.EncodeToString(want[:])+`">`) {
		t.Error("the page does not carry the release")
	}
	seen := 0
	for name, path := range s.names {
		if !bytes.Equal(get(path), files["phone/"+name]) {
			t.Errorf("%s is not served as the release has it", name)
		}
		seen++
	}
	if seen+3 != len(files) { // and the page, the service worker and the web manifest
		t.Errorf("%d assets served, %d files in the release", seen, len(files))
	}
	for _, path := range regexp.MustCompile(`/app/a/[^"]+`).FindAllString(page, -1) {
		get(path)
	}
}

// BenchmarkPhoneRelease is what a desk pays once to say which release it serves.
func BenchmarkPhoneRelease(b *testing.B) {
	for b.Loop() {
		if _, err := PhoneRelease(); err != nil {
			b.Fatal(err)
		}
	}
}
