//go:build unix || windows

package journal

import (
	"errors"
	"testing"
)

func TestOneHolder(t *testing.T) {
	for name, d := range map[string]Dir{"memory": &MemDir{}, "disk": OSDir(t.TempDir())} {
		f, err := d.Open("j")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Open("j"); !errors.Is(err, ErrBusy) {
			t.Errorf("%s: a second holder: %v", name, err)
		}
		f.Close()
		if f, err = d.Open("j"); err != nil {
			t.Errorf("%s: after closing: %v", name, err)
		}
		f.Close()
		if err := d.Remove("j"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
