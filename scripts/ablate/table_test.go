package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestMain works where the rules' files are: at the module's root.
func TestMain(m *testing.M) {
	if err := os.Chdir("../.."); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// declared lists the tests of a package.
func declared(t *testing.T, pkg string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, f := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				out[fn.Name.Name] = true
			}
		}
	}
	return out
}

// idle names an import that a changed file does not use. It is what a rule's change most often leaves behind when a
// file has become smaller, and costs a build to find out otherwise.
func idle(file string, b []byte) string {
	if filepath.Ext(file) != ".go" {
		return ""
	}
	f, err := parser.ParseFile(token.NewFileSet(), file, b, parser.SkipObjectResolution)
	if err != nil {
		return err.Error()
	}
	used := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok {
				used[x.Name] = true
			}
		}
		return true
	})
	for _, i := range f.Imports {
		path := regexp.MustCompile(`/v[0-9]+$`).ReplaceAllString(strings.Trim(i.Path.Value, `"`), "")
		name := path[strings.LastIndex(path, "/")+1:]
		if i.Name != nil {
			name = i.Name.Name
		}
		if name != "_" && name != "." && !used[name] {
			return name
		}
	}
	return ""
}

// TestTable: every rule still stands where the table says, names tests that exist, and can be told from the others.
func TestTable(t *testing.T) {
	rules, err := table()
	if err != nil {
		t.Fatal(err)
	}
	tests, names := map[string]map[string]bool{}, map[string]bool{}
	for _, r := range rules {
		if names[r.name] || r.name == "" || r.promise == "" {
			t.Errorf("%q: a name that is given twice, or no promise", r.name)
		}
		names[r.name] = true
		if r.model == "" {
			b, err := r.changed()
			if err != nil {
				t.Errorf("%s: %v", r.name, err)
			} else if name := idle(r.file, b); name != "" {
				t.Errorf("%s: without it %s is imported and not used, and does not compile", r.name, name)
			}
		} else if r.file != "" {
			t.Errorf("%s: of the model and of a file", r.name)
		}
		if tests[r.pkg] == nil {
			tests[r.pkg] = declared(t, r.pkg)
		}
		for _, name := range strings.Split(r.tests, "|") {
			if !tests[r.pkg][name] {
				t.Errorf("%s: %s has no test %s", r.name, r.pkg, name)
			}
		}
	}
	if len(names) < 90 {
		t.Errorf("%d rules, want 90 at least", len(names))
	}
	t.Logf("%d rules", len(names))
}

// TestDraw: a seed draws the same rules every time, the model's first, and the commits to come draw all.
func TestDraw(t *testing.T) {
	all, err := table()
	if err != nil {
		t.Fatal(err)
	}
	models := 0
	for _, r := range all {
		if r.model != "" {
			models++
		}
	}
	a, b := draw(all, 9, "one"), draw(all, 9, "one")
	if len(a) != models+9 {
		t.Errorf("%d rules are drawn, want the model's %d and 9", len(a), models)
	}
	for i := range a {
		if a[i].name != b[i].name || i < models && a[i].model == "" {
			t.Errorf("one seed draws %q and %q", a[i].name, b[i].name)
		}
	}
	seen := map[string]bool{}
	for i := range 1000 {
		for _, r := range draw(all, 9, "commit"+string(rune('a'+i%26))+string(rune('a'+i/26))) {
			seen[r.name] = true
		}
	}
	if len(seen) != len(all) {
		t.Errorf("1000 commits draw %d of %d rules", len(seen), len(all))
	}
}

// TestPromisesNameTests: each row of the threat model's two tables of promises and attacks names at least one test, and
// every test it names is in some package. What has neither a rule nor a test is said where nothing can be taken away.
func TestPromisesNameTests(t *testing.T) {
	doc, err := os.ReadFile("doc/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	err = filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			for name := range declared(t, path) {
				all[name] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test\\w+)`")
	section, rows := "", map[string]int{}
	for _, line := range strings.Split(string(doc), "\n") {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			section = title
		}
		promises := section == "Promises that are tested" || strings.HasPrefix(section, "Published attacks")
		if !promises || !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "|---") {
			continue
		}
		if rows[section]++; rows[section] == 1 {
			continue // the heads of the columns
		}
		tests := named.FindAllStringSubmatch(line, -1)
		if len(tests) == 0 {
			t.Errorf("a promise without a test: %.80s", line)
		}
		for _, m := range tests {
			if !all[m[1]] {
				t.Errorf("%s is nowhere: %.80s", m[1], line)
			}
		}
	}
	if len(rows) != 2 || rows["Promises that are tested"] < 20 {
		t.Errorf("the tables have %v rows", rows)
	}
	if !strings.Contains(string(doc), "\n## What no test can take away\n") {
		t.Error("nothing says what cannot be taken away")
	}
}
