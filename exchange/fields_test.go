package exchange

import "testing"

// TestEveryFieldHasAName: a field that two people may correct to different values is named in the archive's disputes.
func TestEveryFieldHasAName(t *testing.T) {
	for what, of := range map[string]struct {
		fields map[uint8]amendable
		most   uint8
	}{"person": {personFields, 6}, "contact": {contactFields, 11}} {
		for n := uint8(1); n <= of.most; n++ {
			if of.fields[n].name == "" {
				t.Errorf("field %d of a %s has no name", n, what)
			}
		}
	}
}
