package replica

import (
	"encoding/binary"
	"strconv"

	"krama"
)

// How circle 0 was trimmed, as the journal tells it. When and why: trim.go.

// trimOf reads a trim's entry of the journal.
func trimOf(b []byte) (epoch uint32, at uint64, ok bool) {
	if len(b) != 26 || b[0] != tagTrim {
		return 0, 0, false
	}
	return be32(b[5:]), binary.BigEndian.Uint64(b[13:]), true
}

// trimEntry is a trim's entry. Agreed says that an admin's word answers what was doubted; else that waits for her
// repair.
func trimEntry(epoch uint32, at uint64, agreed bool) []byte {
	flag := []byte{0}
	if agreed {
		flag[0] = 1
	}
	return tagged(tagTrim, u32(epoch), u64(at), flag)
}

// trim takes note that circle 0's epoch was trimmed at a place. What was folded before is then more than counts:
// reading begins again without it.
func (l *ledger) trim(epoch uint32, at uint64, agreed bool) error {
	t := l.trims[epoch]
	if t == nil || t.past == len(t.at) {
		return errCut{place: place{krama.OrgCircle, epoch}, cut: cut{n: at}, trim: true}
	}
	// Met again: what it leaves out was not folded in this time.
	t.past++
	l.untidy = true
	if agreed {
		l.alarms.mended(place{krama.OrgCircle, epoch})
	}
	if st := l.streams[krama.OrgCircle]; st != nil {
		for c := range l.keys { // what comes in the place of a settled word is not settled
			if l.values.settledTo(c) > st.base+at {
				l.values.put(noticedKey(c), strconv.FormatUint(st.base+at, 10))
			}
		}
	}
	return nil
}
