// Command width lists lines of Go files, templates, scripts and styles wider than 120 columns, a tab being four, and
// files of more than 500 lines. What a raw string holds is another language's text and is not judged, nor is what was
// generated, built or carried as it is; tables of attacks and what is carried from templ may be long.
package main

import (
	"bytes"
	"fmt"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// tab is how many columns a tab counts as, so that two editors do not judge a line differently.
const columns, tab, lines = 120, 4, 500

func main() {
	wide, err := tooLarge(".")
	if err != nil {
		fmt.Fprintln(os.Stderr, "width:", err)
		os.Exit(1)
	}
	for _, at := range wide {
		fmt.Println(at)
	}
	if len(wide) > 0 {
		os.Exit(1)
	}
}

// tooLarge lists the wide lines and long files of a folder and all below it, as file:line: columns.
func tooLarge(root string) (out []string, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		// What others wrote is not looked at, nor what git keeps.
		if d.IsDir() && slices.Contains([]string{"node_modules", ".git", "built", "testdata"}, d.Name()) {
			return filepath.SkipDir
		}
		if d.IsDir() || !judged(path) {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		may := strings.HasSuffix(path, "_table_test.go") || strings.HasPrefix(filepath.ToSlash(path), "web/templ/")
		if n := bytes.Count(b, []byte("\n")); n > lines && !may {
			out = append(out, fmt.Sprintf("%s: %d lines", path, n))
		}
		var raw map[int]bool
		if strings.HasSuffix(path, ".go") {
			raw = rawLines(b)
		}
		for i, line := range bytes.Split(b, []byte("\n")) {
			// Characters are counted, because Khmer takes three bytes for one, and each tab was counted as one already.
			if n := utf8.RuneCount(line) + (tab-1)*bytes.Count(line, []byte("\t")); n > columns && !raw[i+1] {
				out = append(out, fmt.Sprintf("%s:%d: %d columns", path, i+1, n))
			}
		}
		return nil
	})
	return out, err
}

// judged reports whether a file is one that is written by hand here.
func judged(path string) bool {
	if strings.HasSuffix(path, "_templ.go") || filepath.Base(path) == "jsqr.js" { // generated, and carried as it is
		return false
	}
	return slices.Contains([]string{".go", ".js", ".css", ".templ"}, filepath.Ext(path))
}

// rawLines are the lines, from 1 on, on which a raw string stands.
func rawLines(src []byte) map[int]bool {
	out := map[int]bool{}
	set := token.NewFileSet()
	file := set.AddFile("", -1, len(src))
	var s scanner.Scanner
	// The scanner's errors are not heard: the compiler tells them.
	s.Init(file, src, nil, 0)
	for {
		pos, t, text := s.Scan()
		if t == token.EOF {
			return out
		}
		if t == token.STRING && text[0] == '`' {
			first := file.Line(pos)
			for n := range strings.Count(text, "\n") + 1 {
				out[first+n] = true
			}
		}
	}
}
