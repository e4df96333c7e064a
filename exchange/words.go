package exchange

import (
	"slices"
	"strconv"

	"krama"
)

// Codes as the words that an archive has for them.

// ncdd is how an area of ours says what its code is.
const ncdd = "NCDD code"

// outside is the district of somebody outside the programme's area.
const outside = "outside"

// words are the keys of a set's codes.
func words(list []krama.Term, s krama.Set) (out []string) {
	for _, c := range s.Codes() {
		out = append(out, krama.KeyOf(list, c))
	}
	return out
}

// anyOf reports whether one of the ids is in a set.
func anyOf(set map[krama.SubjectID]bool, ids []krama.SubjectID) bool {
	return slices.ContainsFunc(ids, func(id krama.SubjectID) bool { return set[id] })
}

// district is a district's code, or that she is from elsewhere.
func district(code uint16) string {
	if code == 0 {
		return outside
	}
	return strconv.Itoa(int(code))
}

// by is the member a device belongs to.
// It is "" for a device that the roster does not have.
func (x *Export) by(d krama.DeviceID) string {
	if m, ok := x.Member(d); ok {
		return m.String()
	}
	return ""
}
