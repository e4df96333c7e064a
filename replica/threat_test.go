//go:build !js

package replica

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestThreatModelNamesRealTests: a promise whose test is gone is no promise.
func TestThreatModelNamesRealTests(t *testing.T) {
	doc, err := os.ReadFile("../doc/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]string{} // test, room
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err = filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(b, -1) {
			in[string(m[1])] += filepath.Base(filepath.Dir(path)) + " "
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test\\w+)`").FindAllSubmatch(doc, -1)
	if len(named) < 50 {
		t.Fatalf("only %d tests are named", len(named))
	}
	listed := map[string]bool{}
	for _, m := range named {
		name := string(m[1])
		listed[name] = true
		if in[name] == "" {
			t.Errorf("doc/threat-model.md names %s, which is nowhere", name)
		}
	}
	for name, rooms := range in {
		if strings.HasPrefix(name, "TestAttack") && !listed[name] {
			t.Errorf("%s in %sis missing in doc/threat-model.md", name, rooms)
		}
	}
	for _, line := range strings.Split(string(doc), "\n") { // rows of the table of attacks say in which room
		if !strings.Contains(line, "`TestAttack") || !strings.HasPrefix(line, "| ") {
			continue
		}
		for _, room := range []string{"seal", "replica"} {
			for _, m := range regexp.MustCompile("`(TestAttack\\w+)`").FindAllStringSubmatch(line, -1) {
				if strings.Contains(line, "`"+room+"`") && !strings.Contains(in[m[1]], room+" ") {
					t.Errorf("%s is not in %s", m[1], room)
				}
			}
		}
	}
}
