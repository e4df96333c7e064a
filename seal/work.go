package seal

import (
	"crypto/ed25519"
	"crypto/subtle"
	"encoding/binary"
	"io"
	"math/bits"

	"golang.org/x/crypto/argon2"

	"krama"
)

// A call that anybody may make brings a proof of work: who floods pays for it, and who paid gets through (doc/format.md
// §4). The proof is of one site and day, or of one mailbox or drop and one day, so it is worth nothing anywhere
// else. It holds what the work came to: without that, whoever sends random bytes has the relay do the work, and every
// sixteenth is a proof.

// WorkSize is the size of a proof of work: 16 bytes of the worker's own, a counter of 4, and 12 bytes of what they
// came to.
const WorkSize = workTry + 12

const (
	workTry  = 16 + 4
	workBits = 4 // leading zero bits: 16 tries on average, of about a millisecond and a mebibyte each
)

// try does the work of one try; ok says that it is one that counts.
func try(salt [32]byte, p []byte) (out []byte, ok bool) {
	out = argon2.IDKey(p[:workTry], salt[:16], 1, 1024, 1, 1+WorkSize-workTry)
	return out[1:], bits.LeadingZeros8(out[0]) >= workBits
}

// prove searches for a proof.
func prove(rand io.Reader, salt [32]byte) (p [WorkSize]byte, err error) {
	if _, err := io.ReadFull(rand, p[:16]); err != nil {
		return p, krama.Wrap("seal.prove", err)
	}
	for n := uint32(0); ; n++ {
		binary.BigEndian.PutUint32(p[16:], n)
		if out, ok := try(salt, p[:]); ok {
			copy(p[workTry:], out)
			return p, nil
		}
	}
}

// proves checks one.
func proves(salt [32]byte, p [WorkSize]byte) bool {
	out, ok := try(salt, p[:])
	return ok && subtle.ConstantTimeCompare(out, p[workTry:]) == 1
}

// workSalt is what a report's proof is for: a site and a day.
func workSalt(site [16]byte, day krama.Day) [32]byte { return Hash("work", site[:], u32(uint32(day))) }

// callSalt is what a call's proof is for.
func callSalt(principal [16]byte, day krama.Day) [32]byte {
	return Hash("call work", principal[:], u32(uint32(day)))
}

// Work finds the proof of a report to a site on a day.
func Work(rand io.Reader, site [16]byte, day krama.Day) ([WorkSize]byte, error) {
	return prove(rand, workSalt(site, day))
}

// Worked checks the proof of a report. It costs one Argon2id of 1 MiB.
func Worked(site [16]byte, day krama.Day, proof [WorkSize]byte) bool {
	return proves(workSalt(site, day), proof)
}

// CallWork finds the proof of a call by principal on a day.
func CallWork(rand io.Reader, principal [16]byte, day krama.Day) ([WorkSize]byte, error) {
	return prove(rand, callSalt(principal, day))
}

// CallWorked checks the proof of a call. It costs one Argon2id of 1 MiB.
func CallWorked(principal [16]byte, day krama.Day, proof [WorkSize]byte) bool {
	return proves(callSalt(principal, day), proof)
}

// Look is a reporter's call for the answers in her mailbox, in a programme that its short name names, on a day by the
// relay's clock. It takes as long as a proof of work.
func (r *Receipt) Look(rand io.Reader, at Session, site [16]byte, day krama.Day) ([]byte, error) {
	proof, err := CallWork(rand, r.Mailbox, day)
	if err != nil {
		return nil, err
	}
	pub := r.Auth.Public().(ed25519.PublicKey)
	return NewCall(rand, r.Auth, PathReply, at, site, r.Mailbox, Frame(pub, u32(uint32(day)), proof[:]))
}
