package replica

// voids is what of a journal counts no more, as its readings found out one after the other: an entry far behind may say
// that what stands before it is void, and then reading begins again. It outlives each of those readings; the file that
// is written anew leaves out what is void, and begins with none.
type voids struct {
	cuts   map[place]cut       // where signed closes fell behind what was read
	left   map[place]readings  // of an epoch's stream, those that count no more
	passed map[place]int       // how often an epoch's stream was begun anew, as far as the journal was read
	trims  map[uint32]*trimmed // what of circle 0's epochs counts no more
}

// take takes note of what stopped a reading.
func (v *voids) take(e errCut) {
	switch {
	case e.trim:
		v.trimAt(e.epoch, e.n)
	case e.left > 0:
		v.left[e.place] = readings{e.left, v.left[e.place].repair || e.repair}
	default:
		v.cuts[e.place] = e.cut
	}
}

// rewind goes back to the journal's beginning.
func (v *voids) rewind() {
	v.passed = map[place]int{}
	for _, t := range v.trims {
		t.past = 0
	}
}

// trimAt leaves out, at the next reading, what stands before the trim that was met past a place.
func (v *voids) trimAt(epoch uint32, at uint64) {
	if v.trims[epoch] == nil {
		v.trims[epoch] = &trimmed{}
	}
	v.trims[epoch].at = append(v.trims[epoch].at, at)
}

// trimmed is how one epoch of circle 0 was trimmed, in the journal's order: the places behind which nothing counts that
// was read before.
type trimmed struct {
	at   []uint64
	past int // of those, as far as the journal was read
}

// void reports whether a later trim leaves out an envelope of circle 0.
func (t *trimmed) void(n uint64) bool {
	if t == nil {
		return false
	}
	for _, at := range t.at[t.past:] {
		if n > at {
			return true
		}
	}
	return false
}

// newVoids is nothing void.
func newVoids() *voids {
	return &voids{cuts: map[place]cut{}, left: map[place]readings{}, passed: map[place]int{},
		trims: map[uint32]*trimmed{}}
}
