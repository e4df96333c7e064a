package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTooLarge: a tab is four columns, a letter of any script is one, what a raw string holds is not judged; a file has
// 500 lines, a table more.
func TestTooLarge(t *testing.T) {
	dir := t.TempDir()
	src := "package x\n" +
		"\t// " + strings.Repeat("ក", 113) + "\n" + // 120
		"\t// " + strings.Repeat("ក", 114) + "\n" +
		"var _ = `" + strings.Repeat("x", 200) + "\n" + strings.Repeat("x", 200) + "`\n" +
		"var _ = \"" + strings.Repeat("x", 112) + "\"\n"
	long := "package x\n" + strings.Repeat("\n", 500)
	for name, text := range map[string]string{"a.go": src, "a_templ.go": src, "a.txt": src, "b.go": long,
		"c.go": long[:len(long)-1], "b_table_test.go": long, "d.js": "// " + strings.Repeat("x", 118) + "\n",
		"jsqr.js": src} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := tooLarge(dir)
	if err != nil {
		t.Fatal(err)
	}
	a, b := filepath.Join(dir, "a.go"), filepath.Join(dir, "b.go")
	want := []string{a + ":3: 121 columns", a + ":6: 122 columns", b + ": 501 lines",
		filepath.Join(dir, "d.js") + ":1: 121 columns"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
