package seal

import (
	"bytes"
	"crypto/rand"
	"slices"
	"testing"

	"krama"
)

// TestTrusteesAreAsked: a device is brought in by the trustees' key alone, into the circles that are marked, and who
// were trustees before do not read on.
func TestTrusteesAreAsked(t *testing.T) {
	h := found(t)
	marked, closed := krama.CircleID{7}, krama.CircleID{8}
	for _, c := range []krama.CircleID{marked, closed} {
		h.must(h.does(&CircleCreate{Circle: c, Recoverable: c == marked, Readers: krama.RoleAdmin,
			Writers: krama.RoleAdmin}))
		e := openEpoch(c, 0, h.founder)
		e.EC[0], e.GC[0] = c[0], 100+c[0]
		h.must(h.does(e))
	}
	seed := q32(7)
	key, _ := RecoveryKey(seed)
	shares, _ := Split(rand.Reader, seed, [4]byte{1}, 2, 2)
	h.must(h.does(&TrusteesSet{Set: [4]byte{1}, K: 2, N: 2, KemPub: key.KEM.PublicKey().Bytes(), SigPub: key.SigPub(),
		Commits: [][32]byte{shares[0].Commit(), shares[1].Commit()}}))
	d, _ := NewDevice(rand.Reader, "test")
	st := h.statement(&RecoveryUse{Member: krama.MemberID{9}, Device: d.Request()})
	by := h.roster.Trustees.ID()
	for name, tc := range map[string]struct {
		co   []Cosignature
		want krama.Kind
	}{"without them": {nil, krama.NotAllowed}, "by another key in their name": {
		[]Cosignature{{by, Cosign(d.Sig, h.roster.Org, st.Marshal())}}, krama.Tampered},
		"for another statement": {[]Cosignature{{by, Cosign(key.Sig, h.roster.Org, []byte("other"))}},
			krama.Tampered}} {
		if err := h.say(d, st, tc.co...); err == nil || krama.KindOf(err) != tc.want {
			t.Errorf("%s: got %v want %v", name, err, tc.want)
		}
	}
	h.must(h.say(d, st, Cosignature{by, Cosign(key.Sig, h.roster.Org, st.Marshal())}))
	if !h.roster.Latest(marked).Keyed[d.ID()] || h.roster.Latest(closed).Keyed[d.ID()] {
		t.Error("it reads what trustees cannot, or not what they can")
	}
	next, _, _ := NewTrustees(rand.Reader, 2, 3)
	co := h.statement(next)
	h.must(h.say(h.founder, co, Cosignature{d.ID(), Cosign(d.Sig, h.roster.Org, co.Marshal())}))
	if due := h.roster.Due(); !slices.Contains(due, marked) || slices.Contains(due, closed) {
		t.Errorf("earlier trustees read on: due are %x", due)
	}
}

// TestStatementHasOneForm: a statement has the fields and sizes of its type and no others, so that one hash names one
// meaning.
func TestStatementHasOneForm(t *testing.T) {
	d, _ := NewDevice(rand.Reader, "test")
	kem, bad := d.KEM.PublicKey().Bytes(), bytes.Repeat([]byte{0xff}, kemPubSize)
	of := func(typ string, f ...[]byte) []byte {
		return enc("roster "+typ, append([][]byte{q(1, 16), u64(9)}, f...)...)
	}
	id, b32, b40, req := q(1, 16), q(1, 32), q(1, 40), d.Request().Marshal()
	one := [][]byte{
		of("genesis", b32, id, req, nil, nil), of("member.add", id, u16(1)), of("device.add", id, req, []byte{1},
			[]byte{1}, b32, q(1, 64)),
		of("circle.create", id, []byte{7}, u32(1), u16(1), u16(1)), of("circle.policy", id, []byte{7}, u32(1),
			u16(1), u16(1)),
		of("epoch.open", id, u32(1), b32, b32, q(1, 48), id, b40, b32, u32(0)), of("epoch.open", id, u32(1), b32, b32,
			nil, id, b40, b32, u32(1), b32),
		of("epoch.grant", id, u32(1), id), of("member.role", id, u16(1)), of("member.remove", id),
		of("device.rekey", id, kem), of("device.remove", id, []byte{1}),
		of("trustees.set", q(1, 4), []byte{2}, []byte{2}, kem, b32, q(1, 64)), of("recovery.use", id, req, u64(1)),
		of("release.pin", b32, b32, b32),
	}
	for _, b := range one {
		st, err := ParseStatement(b)
		if err != nil || !bytes.Equal(st.Marshal(), b) {
			t.Fatalf("%q: %v", b[4:30], err)
		}
		it, _ := ParseFrame(b, 16)
		if len(it) < 13 { // only pages may follow epoch.open's ninth field
			if _, err := ParseStatement(Frame(append(it, []byte("more"))...)); krama.KindOf(err) != krama.Invalid ||
				err == nil {
				t.Errorf("%s with a field more: %v", it[0], err)
			}
		}
		for i := 1; i < len(it); i++ {
			longer := slices.Clone(it)
			longer[i] = append(bytes.Clone(it[i]), 0)
			if _, err := ParseStatement(Frame(longer...)); krama.KindOf(err) != krama.Invalid || err == nil {
				t.Errorf("%s with field %d a byte longer: %v", it[0], i, err)
			}
		}
	}
	for name, b := range map[string][]byte{
		"checked in no way":             of("device.add", id, req, []byte{1}, []byte{3}, b32, q(1, 64)),
		"another signature's algorithm": of("device.add", id, req, []byte{2}, []byte{1}, b32, q(1, 64)),
		"a later version's circle":      of("circle.create", id, []byte{8}, u32(1), u16(1), u16(1)),
		"a later version's policy":      of("circle.policy", id, []byte{8}, u32(1), u16(1), u16(1)),
		"fewer pages than it says":      of("epoch.open", id, u32(1), b32, b32, nil, id, b40, b32, u32(2), b32),
		"half a link":                   of("epoch.open", id, u32(1), b32, b32, q(1, 24), id, b40, b32, u32(0)),
		"half a device":                 of("epoch.open", id, u32(1), b32, b32, nil, id[:8], b40, b32, u32(0)),
		"one trustee":                   of("trustees.set", q(1, 4), []byte{1}, []byte{2}, kem, b32, q(1, 64)),
		"more needed than there are":    of("trustees.set", q(1, 4), []byte{3}, []byte{2}, kem, b32, q(1, 64)),
		"a commitment too few":          of("trustees.set", q(1, 4), []byte{2}, []byte{3}, kem, b32, q(1, 64)),
		"trustees without a key":        of("trustees.set", q(1, 4), []byte{2}, []byte{2}, bad, b32, q(1, 64)),
		"no reason":                     of("device.remove", id, []byte{0}),
		"a reason of a later version":   of("device.remove", id, []byte{8}),
		"no new key":                    of("device.rekey", id, bad),
		"nine release keys":             of("release.pin", b32, b32, bytes.Repeat(b32, 9)),
	} {
		if _, err := ParseStatement(b); krama.KindOf(err) != krama.Invalid || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, b := range map[string][]byte{"a signature a byte short": Frame(one[1], id, q(1, 63)),
		"a signature without a name": Frame(one[1], q(1, 64)), "a short name": Frame(one[1], id[:15], q(1, 64))} {
		if _, _, err := parseStatementBody(b); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}

// TestStatementCountsOnce: who keeps an admin's old statement cannot say it again and undo what was said since.
func TestStatementCountsOnce(t *testing.T) {
	h := found(t)
	first := h.statement(pin(1))
	h.must(h.say(h.founder, first))
	h.must(h.does(pin(2)))
	if err := h.say(h.founder, first); krama.KindOf(err) != krama.Invalid || err == nil {
		t.Errorf("said again: got %v want invalid", err)
	}
	if h.roster.Release.Manifest != q32(2) {
		t.Error("an old release is pinned again")
	}
}
