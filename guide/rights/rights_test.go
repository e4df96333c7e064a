package rights

import (
	"strings"
	"testing"
)

// TestShippedTextsAreDrafts: nobody has reviewed them, so none may say so; each has its source and three languages.
func TestShippedTextsAreDrafts(t *testing.T) {
	all, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 8 {
		t.Errorf("got %d topics want 8", len(all))
	}
	for _, x := range all {
		if x.ReviewedBy != "" || x.ReviewedOn != "" {
			t.Errorf("%s says that it was reviewed", x.Topic)
		}
		for _, s := range []string{x.Title.EN, x.Title.KM, x.Title.VI, x.Body.EN, x.Body.KM, x.Body.VI,
			x.Source, x.Dated} {
			if strings.TrimSpace(s) == "" {
				t.Errorf("%s lacks a language, a source or a date", x.Topic)
			}
		}
		for _, s := range []string{x.Body.EN, x.Body.KM, x.Body.VI} {
			if len(s) > 3000 {
				t.Errorf("%s has a body of %d bytes, more than a record holds", x.Topic, len(s))
			}
		}
	}
}
