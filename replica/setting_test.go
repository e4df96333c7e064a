package replica

import (
	"strings"
	"testing"
)

// Settings as the pages and the office declare them.
var (
	drafts   = NewSetting("draft ", OfOne)
	testList = NewSetting("retention", OfEach)
)

// TestErasingAsksTheOwner: each setting's owner says what is left of it when somebody is erased. What nobody owns any
// more is taken for a list, so that no value of an earlier version keeps her.
func TestErasingAsksTheOwner(t *testing.T) {
	her, other := strings.Repeat("ab", 16), strings.Repeat("cd", 16)
	names := naming{her: true}
	v := settings{
		"draft /person/" + her + "/contact": "note=x",            // named by its name
		"draft /person/new":                 "sid=" + her,        // and by what it says
		"draft /person/" + other:            "note=y",            // another's
		"retention":                         her + "=1 " + other, // one of several
		said.name:                           her,                 // nobody's: these are the digits of something else
		noticedTo.Of(other).name:            her,                 // of a family
		waitsSince.Of("1." + her).name:      "7",
		"of.an.earlier.version":             other + " " + her + "=2",
	}
	v.forget(names.in)
	want := settings{"draft /person/" + other: "note=y", "retention": other, said.name: her,
		noticedTo.Of(other).name: her, "of.an.earlier.version": other}
	for k, x := range v {
		if want[k] != x {
			t.Errorf("%q is %q, want %q", k, x, want[k])
		}
	}
	if len(v) != len(want) {
		t.Errorf("%d values, want %d", len(v), len(want))
	}
}

// TestSettingsHaveOneOwner: a name is declared once.
func TestSettingsHaveOneOwner(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("two may own one setting")
		}
	}()
	NewSetting("draft ", OfNobody)
}
