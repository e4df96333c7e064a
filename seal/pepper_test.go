package seal

import (
	"testing"

	"krama"
)

// TestPepperPut: only the device itself, on the stream it named, says what the relay keeps for it.
func TestPepperPut(t *testing.T) {
	f := newFixture(t)
	id := f.e1.StreamID()
	two := []Pepper{{q(1, 32), q32(2)}, {q(3, 32), q32(4)}}
	for n := range 3 {
		got, err := ParsePepperPut(id, f.dev.PutPeppers(id, two[:n]...))
		if err != nil || got.Device != f.dev.ID() || len(got.Peppers) != n {
			t.Errorf("%d peppers: %+v %v", n, got, err)
		}
		if n == 2 && (!got.Peppers[1].Access.Equal(two[1].Access) || got.Peppers[1].Value != two[1].Value) {
			t.Error("another pepper than was put")
		}
	}
	good := f.dev.PutPeppers(id, two...)
	if _, err := ParsePepperPut(f.e0.StreamID(), good); krama.KindOf(err) != krama.NotAllowed {
		t.Errorf("on another stream: %v", err)
	}
	if _, err := ParsePepperPut(id, f.dev.PutPeppers(id, append(two, two[0])...)); krama.KindOf(err) != krama.Invalid {
		t.Errorf("three peppers: %v", err)
	}
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 1
		if p, err := ParsePepperPut(id, bad); err == nil && p.Device == f.dev.ID() {
			t.Fatalf("byte %d changed, and it still counts for the device", i)
		}
	}
	if PepperBox(f.dev.ID()) == [16]byte(f.dev.ID()) || PepperBox(f.dev.ID()) == f.dev.Mailbox() {
		t.Error("two kinds of place at the relay have one name")
	}
}
