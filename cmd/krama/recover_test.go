package main

import (
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"

	"krama"
	"krama/seal"
)

// TestA36RecoverNamesTheCard gives the command a card of an older set among right ones: it is named, and no folder is
// left.
func TestA36RecoverNamesTheCard(t *testing.T) {
	text := func(shares []seal.Share, i int) string {
		return seal.Card{Share: shares[i], Org: krama.OrgID{1}, Relay: "http://127.0.0.1:1"}.String() + "\n"
	}
	_, now, err1 := seal.NewTrustees(rand.Reader, 3, 5)
	_, old, err2 := seal.NewTrustees(rand.Reader, 3, 5)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	for name, tc := range map[string]struct {
		cards string
		want  []string
	}{
		"an old one": {text(now, 0) + text(old, 1) + text(now, 2),
			[]string{"line 2, card 2 of 5: belongs to another set of trustees", "leave these out"}},
		"the same twice": {text(now, 0) + text(now, 1) + text(now, 0),
			[]string{"line 3, card 1 of 5: is the same as one before it"}},
		"as many of each": {text(now, 0) + text(now, 1) + text(old, 2) + text(old, 3), []string{"line 1,", "line 4,",
			"ask for one more card"}},
		"a mistyped letter": {text(now, 0) + strings.Replace(text(now, 1), "A", "B", 1),
			[]string{"line 2 is not the text of a card"}},
	} {
		dir := filepath.Join(t.TempDir(), "desk")
		code, _, stderr := cli(tc.cards, "recover", "--data", dir)
		if code != exitFailed {
			t.Errorf("%s: status %d", name, code)
		}
		for _, want := range tc.want {
			if !strings.Contains(stderr, want) {
				t.Errorf("%s: lacks %q:\n%s", name, want, stderr)
			}
		}
		if exists(filepath.Join(dir, "vault")) {
			t.Errorf("%s: a desk was made", name)
		}
	}
}
