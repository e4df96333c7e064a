package seal

import "testing"

// TestPepper: a pepper's bytes are what was given, of one length, and its place is no other place of the device.
func TestPepper(t *testing.T) {
	f := newFixture(t)
	p := Pepper{f.dev.SigPub(), q32(2)}
	if got, ok := ParsePepper(p.Marshal()); !ok || !got.Access.Equal(p.Access) || got.Value != p.Value {
		t.Error("another pepper than was put")
	}
	for _, b := range [][]byte{nil, {0}, p.Marshal()[1:], append(p.Marshal(), 0)} {
		if _, ok := ParsePepper(b); ok {
			t.Errorf("%d bytes are a pepper", len(b))
		}
	}
	if PepperBox(f.dev.ID()) == [16]byte(f.dev.ID()) || PepperBox(f.dev.ID()) == f.dev.Mailbox() {
		t.Error("two kinds of place at the relay have one name")
	}
}
