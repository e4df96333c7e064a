package replica

import (
	"testing"
	"time"

	"krama/seal"
)

// TestFieldOfAnEarlierVersion: a phone in field mode that an earlier version shut, whose lease has ended, opens after
// its office has named the programme at the relay.
func TestFieldOfAnEarlierVersion(t *testing.T) {
	w := newSmallWorld(t)
	a := w.field(w.phone())
	id, _ := a.Device()
	box := seal.PepperBox(id)
	w.must(writeFile(a.dir, fieldFile, append([]byte{1}, box[:]...)))
	w.now = w.now.Add(Lease + time.Hour)
	w.opens("a field file of the first version", a, nil)
}
