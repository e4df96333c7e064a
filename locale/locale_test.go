package locale

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

func holes(s string) []string {
	h := placeholder.FindAllString(s, -1)
	slices.Sort(h)
	return slices.Compact(h)
}

// TestCataloguesAgree: every language has every key, the same placeholders, no markup and no empty sentence.
func TestCataloguesAgree(t *testing.T) {
	en, err := Load("en")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range Languages {
		c, err := Load(l.Code)
		if err != nil {
			t.Fatal(err)
		}
		for k, m := range en {
			got, ok := c[k]
			if !ok {
				t.Errorf("%s lacks %s", l.Code, k)
				continue
			}
			if !slices.Equal(holes(got.Other), holes(m.Other)) {
				t.Errorf("%s %s: placeholders %v want %v", l.Code, k, holes(got.Other), holes(m.Other))
			}
			if strings.TrimSpace(got.Other) == "" || strings.ContainsAny(strings.ReplaceAll(got.Other, "<5",
				""), "<>&") {
				t.Errorf("%s %s: empty, or holds markup", l.Code, k)
			}
		}
		for k := range c {
			if _, ok := en[k]; !ok {
				t.Errorf("%s has %s, which English lacks", l.Code, k)
			}
		}
	}
}

// formWords are the keys of shipped forms: of each its title, and of each field its label and whom it hurts.
func formWords(t *testing.T) map[string]bool {
	files, err := filepath.Glob("../form/data/forms/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no forms", err)
	}
	out := map[string]bool{}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		form := regexp.MustCompile(`"form": "([a-z-]+)"`).FindSubmatch(b)[1]
		out[string(form)+".title"] = true
		for _, m := range regexp.MustCompile(`"name": "([a-z0-9-]+)"(?:, "words": "([a-z.]+)")?`).FindAllSubmatch(b, -1) {
			label := string(form) + "." + string(m[1])
			out[label+".harm"] = true
			if len(m[2]) > 0 {
				label = string(m[2])
			}
			out[label] = true
		}
	}
	return out
}

// TestKeysAreUsedAndThere looks for the keys in the sources. Keys that are put together at run time are known by their
// beginning.
func TestKeysAreUsedAndThere(t *testing.T) {
	en, _ := Load("en")
	built := []string{"gender.", "age.", "language.", "category.", "place.", "topic.", "service.", "test.", "safety.",
		"purpose.", "commodity.",
		"role.", "circle.", "kind.", "alarm.", "sync.stage.", "contact.next.", "report.testing.", "reason.", "log.",
		"erase.reason.", "need.", "operator.", "cost.", "welcome.", "access.", "police.", "use.", "reportTopic.",
		"tier.", "listingKind.", "check.", "outcome.", "act.", "incident.", "perpetrator.", "want.", "audit.",
		"threadState.", "door.day.", "door.intake.", "door.first.", "yesno.", "gate.busy", "gate.full", "gate.damaged"}
	var src strings.Builder
	err := filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && (strings.HasSuffix(p, ".templ") || (strings.HasSuffix(p, ".go") &&
			!strings.HasSuffix(p, "_templ.go") && !strings.HasSuffix(p, "_test.go"))) {
			b, _ := os.ReadFile(p)
			src.Write(b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	text, forms := src.String(), formWords(t)
	for k := range en {
		if forms[k] {
			continue
		}
		if !strings.Contains(text, `"`+k+`"`) && !slices.ContainsFunc(built, func(p string) bool {
			return strings.HasPrefix(k, p)
		}) {
			t.Errorf("%s is used nowhere", k)
		}
	}
	for _, m := range regexp.MustCompile(
		`(?:tr\(ctx, |\.T\(|notice\(|chips\("[a-z]+", )"([a-zA-Z0-9.-]+)"`).FindAllStringSubmatch(text, -1) {
		if _, ok := en[m[1]]; !ok && !strings.HasSuffix(m[1], ".") && m[1] != "gate." {
			t.Errorf("%s is used and not in the catalogue", m[1])
		}
	}
}

func TestPlurals(t *testing.T) {
	p := New("en")
	if got := p.T("people.count", "n", 1); got != "1 person" {
		t.Error(got)
	}
	if got := p.T("people.count", "n", 12345); got != "12\u202f345 people" {
		t.Error(got)
	}
	if New("xx").Lang != "km" || Match("de, vi-VN;q=0.8") != "vi" || Match("") != "km" {
		t.Error("language choice")
	}
}
