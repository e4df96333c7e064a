package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWideLines: a tab is four columns, a letter of any script is one, and what a raw string holds is not judged.
func TestWideLines(t *testing.T) {
	dir := t.TempDir()
	src := "package x\n" +
		"\t// " + strings.Repeat("ក", 113) + "\n" + // 120
		"\t// " + strings.Repeat("ក", 114) + "\n" +
		"var _ = `" + strings.Repeat("x", 200) + "\n" + strings.Repeat("x", 200) + "`\n" +
		"var _ = \"" + strings.Repeat("x", 112) + "\"\n"
	for name, text := range map[string]string{"a.go": src, "a_templ.go": src, "a.txt": src} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := wideLines(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(dir, "a.go") + ":3: 121 columns", filepath.Join(dir, "a.go") + ":6: 122 columns"}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%q, want %q", got, want)
	}
}
