package door

import (
	"bytes"
	"testing"
)

// TestPaddingIsWhatWasAsked: a page that lacks two bytes to the common size gets two, and not none.
func TestPaddingIsWhatWasAsked(t *testing.T) {
	page := bytes.Repeat([]byte("a page "), 300)
	plain, err := zip(page, -1)
	if err != nil {
		t.Fatal(err)
	}
	for extra := range 4 {
		z, err := zip(page, extra)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(z) - len(plain); got != extra+2 {
			t.Errorf("%d in the field make it %d longer, want %d", extra, got, extra+2)
		}
	}
}
