package site

import (
	"bytes"
	"encoding/json"
	"image/png"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// TestTheAppCanBeInstalled: the web manifest has what phones ask for, icons of the sizes it says, one that a phone may
// cut to its own shape, and nothing in it says what the app is for.
func TestTheAppCanBeInstalled(t *testing.T) {
	s, err := New(Config{Relay: "https://relay.example", Version: "v1"})
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 200 {
			t.Errorf("%s: %d", path, w.Code)
		}
		return w
	}
	var m struct {
		ID, Name, Display string
		Theme             string `json:"theme_color"`
		Start             string `json:"start_url"`
		Icons             []struct{ Src, Sizes, Type, Purpose string }
		Description       string
	}
	if err := json.Unmarshal(get("/app/manifest.webmanifest").Body.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	if m.Name != "Krama" || m.Description != "" || m.Display != "standalone" || m.Theme == "" || m.Start != "/app/" ||
		m.ID != "/app/" {
		t.Errorf("%+v", m)
	}
	seen := map[string]bool{}
	for _, i := range m.Icons {
		w := get(i.Src)
		if got := w.Header().Get("Content-Type"); !strings.HasPrefix(got, i.Type) {
			t.Errorf("%s is %s", i.Src, got)
		}
		if i.Type != "image/png" {
			continue
		}
		img, err := png.Decode(bytes.NewReader(w.Body.Bytes()))
		if err != nil {
			t.Fatalf("%s: %v", i.Src, err)
		}
		n := strconv.Itoa(img.Bounds().Dx())
		if i.Sizes != n+"x"+n || img.Bounds().Dy() != img.Bounds().Dx() {
			t.Errorf("%s says %s and is %v", i.Src, i.Sizes, img.Bounds())
		}
		seen[i.Purpose+n] = true
		if _, _, _, a := img.At(0, 0).RGBA(); (a == 0xffff) != (i.Purpose == "maskable") {
			t.Errorf("%s: the corner of a %s icon", i.Src, i.Purpose)
		}
	}
	if !seen["any192"] || !seen["any512"] || !seen["maskable512"] {
		t.Errorf("icons: %v", seen)
	}
	page := get("/app/").Body.String()
	if strings.Count(page, `name="theme-color"`) != 2 || strings.Contains(page, `"TOUCH"`) {
		t.Error("the page has no colours, or a word where an address belongs")
	}
}
