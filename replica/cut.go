package replica

import (
	"bytes"

	"krama"
	"krama/seal"
)

// listing reads a page of a stream. Of one that was cut it takes what is whole, and keeps the beginning of the next
// envelope for the next page; more tells whether anything came that was not here.
func (r meeting) listing(p place, after uint64, answer []byte, cut bool) (l seal.Listing, more bool, err error) {
	var begun []byte
	size := 0
	if cut {
		l, begun, size, err = seal.CutListing(answer)
		if err != nil {
			return seal.Listing{}, false, krama.E("replica.pull", krama.Offline, "")
		}
	} else if l, err = seal.ParseListing(answer); err != nil {
		return l, false, krama.E("replica.pull", krama.Tampered, "the relay's answer is cut or garbled")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	st := r.led.streams[p.circle]
	if st == nil || st.epoch.Epoch != p.epoch || st.head.N != after {
		return l, true, nil // receive says that the stream moved
	}
	had := len(st.beginning())
	// The relay left out what had come of the first envelope: both parts are one if they have the length that was told.
	if rest := st.cutSize - had; had > 0 {
		switch {
		case len(l.Entries) > 0 && len(l.Entries[0]) == rest:
			l.Entries[0] = append(st.cut, l.Entries[0]...)
		case len(l.Entries) == 0 && size == rest:
			begun, size = append(st.cut, begun...), st.cutSize
		}
	}
	more = len(l.Entries) > 0 || len(begun) > had
	// Copied: the answer's memory is as large as a page.
	st.cut, st.cutAt, st.cutSize = bytes.Clone(begun), after+uint64(len(l.Entries)), size
	return l, more, nil
}

// beginning is what is here of the envelope that is next.
func (st *stream) beginning() []byte {
	if st.cutAt != st.head.N {
		return nil
	}
	return st.cut
}
