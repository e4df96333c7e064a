//go:build !js

package web

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestNoTextIsRemembered: a browser keeps what is typed into a field of words, to offer it again and to bring a page
// back, in files of its own. Of no such field does it, on a desk either: the address of a shelter is typed into one.
func TestNoTextIsRemembered(t *testing.T) {
	// A tag may stand on several lines, and a > within braces does not end it.
	field := regexp.MustCompile(`<(?:input|textarea)\s(?:[^>{]|\{[^}]*\})*>`)
	other := regexp.MustCompile(`type="(?:hidden|radio|checkbox|date|time|number|submit)"`)
	files, err := filepath.Glob("*.templ")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	seen := 0
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range field.FindAllString(string(b), -1) {
			if other.MatchString(f) {
				continue
			}
			if seen++; !regexp.MustCompile(`autocomplete="off"`).MatchString(f) {
				t.Errorf("%s: %.90s", name, f)
			}
		}
	}
	if seen < 15 {
		t.Errorf("only %d fields were found", seen)
	}
}
