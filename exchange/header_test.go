package exchange

import (
	"testing"

	"krama"
)

// TestArchiveHeaderBounds: what a header says is believed before any key is made of the words, so it is bounded: a
// guess costs what it should, a reader is not kept busy for ever, and every copy has its last day.
func TestArchiveHeaderBounds(t *testing.T) {
	good := Header{Iterations: Iterations, Written: 20600, Destroy: 20630}
	if _, err := parseHeader(good.bytes()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Header){
		"a cheap guess":    func(h *Header) { h.Iterations = minIterations - 1 },
		"an endless one":   func(h *Header) { h.Iterations = maxIterations + 1 },
		"never written":    func(h *Header) { h.Written = 0 },
		"gone at once":     func(h *Header) { h.Destroy = h.Written },
		"kept for ever":    func(h *Header) { h.Destroy = h.Written + MaxKeepDays + 1 },
		"gone before that": func(h *Header) { h.Destroy = h.Written - 1 },
	} {
		h := good
		change(&h)
		if _, err := parseHeader(h.bytes()); krama.KindOf(err) != krama.Tampered || err == nil {
			t.Errorf("%s: got %v want tampered", name, err)
		}
	}
	later := good.bytes()
	later[0] = 2
	if _, err := parseHeader(later); krama.KindOf(err) != krama.NotYet || err == nil {
		t.Errorf("a later version: got %v want not yet", err)
	}
	if _, err := parseHeader(append(good.bytes(), 0)); krama.KindOf(err) != krama.Tampered || err == nil {
		t.Errorf("a byte more: got %v want tampered", err)
	}
}
