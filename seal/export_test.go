package seal

import (
	"crypto/rand"
	"testing"
	"time"

	"krama"
)

// TestA33ExportStatement reads back what an export's statement says, announced too, and finds no leave where none was
// given.
func TestA33ExportStatement(t *testing.T) {
	s, err := NewStatement(rand.Reader, 9, &Export{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseStatement(s.Marshal())
	if err != nil || got.Deed.kind() != "export" || got.Nonce != s.Nonce || got.NotAfter != 9 ||
		deedID(got.Deed) == [32]byte{} {
		t.Errorf("got %+v, %v", got, err)
	}
	a := &Statement{Deed: &Announce{After: 5, What: &Statement{Deed: &Export{}}}}
	if got, err := ParseStatement(a.Marshal()); err != nil || deedID(got.Deed.(*Announce).What.Deed) != deedID(s.Deed) {
		t.Errorf("announced: %+v, %v", got, err)
	}
	if _, err := ParseStatement(enc("roster export", s.Nonce[:], u64(9), []byte("more"))); krama.KindOf(
		err) != krama.Invalid {
		t.Errorf("with a field too many: %v", err)
	}
	now, one, two := time.Now(), krama.DeviceID{1}, krama.DeviceID{2}
	ro := NewRoster(krama.OrgID{})
	for _, d := range []krama.DeviceID{one, two} {
		m := krama.MemberID(d)
		ro.Members[m], ro.Devices[d] = &Member{ID: m, Roles: krama.RoleAdmin, Held: krama.RoleAdmin},
			&RosterDevice{ID: d, Member: m, Request: &Request{}}
	}
	ro.Circles[krama.OrgCircle] = &RosterCircle{Epochs: []*RosterEpoch{{Keyed: map[krama.DeviceID]bool{one: true,
		two: true}}}}
	ro.Exports = &Exports{Devices: []krama.DeviceID{one}, TimeMS: uint64(now.UnixMilli())}
	if !ro.MayExport(one, now) || ro.MayExport(two, now) {
		t.Error("leave is not of the admin's desk that signed alone")
	}
	if (&Roster{}).MayExport(krama.DeviceID{}, time.Now()) {
		t.Error("leave in a roster that gave none")
	}
}
