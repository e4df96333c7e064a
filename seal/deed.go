package seal

import (
	"encoding/binary"

	"krama"
)

// What a statement of the roster does, and how its fields are written.

// A Deed is what a statement does. Each type stands in one of the deed_*.go files with everything the protocol says of
// it; parser finds them by name.
type Deed interface {
	// kind is the type's name in the roster, as "member.add".
	kind() string
	// fields are what is signed and sent of it, in the order of doc/format.md.
	fields() [][]byte
	// check returns what the deed does to the roster, or the rule that it breaks there. It changes nothing, and asks
	// neither how many admins signed nor since when it is announced.
	check(r *Roster, by signers) (do func(), err error)
	// guarded reports whether two admins must sign it in this roster, when author says it.
	guarded(r *Roster, author krama.DeviceID) bool
	// named is the deed as an announcement names it, whenever it is said; nil where it cannot be announced.
	named() Deed
	// log fills in what people read of it.
	log(l *Logged)
}

// ownDeed is a deed that a device may say although its member is no admin.
type ownDeed interface {
	own(r *Roster, author krama.DeviceID) bool
}

// fields are those of one statement as they were sent.
type fields [][]byte

// sized reports whether there are as many fields as sizes, each of its size; -1 is any.
func (f fields) sized(sizes ...int) bool {
	if len(f) != len(sizes) {
		return false
	}
	for i, n := range sizes {
		if n >= 0 && len(f[i]) != n {
			return false
		}
	}
	return true
}

func (f fields) roles(i int) krama.Role { return krama.Role(binary.BigEndian.Uint16(f[i])) }

func (f fields) u32(i int) uint32 { return binary.BigEndian.Uint32(f[i]) }

func (f fields) u64(i int) uint64 { return binary.BigEndian.Uint64(f[i]) }

// joined is a list of hashes as one field.
func joined(list [][32]byte) (out []byte) {
	for _, x := range list {
		out = append(out, x[:]...)
	}
	return out
}

// parted takes it apart.
func parted(b []byte) (out [][32]byte) {
	for ; len(b) >= 32; b = b[32:] {
		out = append(out, [32]byte(b))
	}
	return out
}

func u16(v uint16) []byte { return binary.BigEndian.AppendUint16(nil, v) }

// deedID identifies a deed, however often and in whichever epoch it is said. It is zero for what cannot be announced.
func deedID(d Deed) [32]byte {
	named := d.named()
	if named == nil {
		return [32]byte{}
	}
	return Hash("deed", (&Statement{Deed: named}).Marshal())
}

// refused is the answer of a check: the rule that the deed breaks.
func refused(k krama.Kind, why string) (func(), error) { return nil, krama.E("seal.Roster", k, why) }
