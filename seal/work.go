package seal

import (
	"crypto/ed25519"
	"encoding/binary"
	"io"
	"math/bits"

	"golang.org/x/crypto/argon2"

	"krama"
)

// A call that anybody may make brings a proof of work: who floods pays for it, and who paid gets through (protocol §12.4). The
// proof is of one mailbox or drop and one day, so it is worth nothing anywhere else.

// CallWork finds the proof of a call by principal on a day. It is 16 tries on average, of about a millisecond and a mebibyte each.
func CallWork(rand io.Reader, principal [16]byte, day krama.Day) (p [WorkSize]byte, err error) {
	if _, err := io.ReadFull(rand, p[:16]); err != nil {
		return p, krama.Wrap("seal.CallWork", err)
	}
	for n := uint32(0); ; n++ {
		binary.BigEndian.PutUint32(p[16:], n)
		if CallWorked(principal, day, p) {
			return p, nil
		}
	}
}

// CallWorked checks the proof of a call. It costs one Argon2id of 1 MiB.
func CallWorked(principal [16]byte, day krama.Day, proof [WorkSize]byte) bool {
	salt := Hash("call work", principal[:], u32(uint32(day)))
	return bits.LeadingZeros8(argon2.IDKey(proof[:], salt[:16], 1, 1024, 1, 1)[0]) >= workBits
}

// Look is a reporter's call for the answers in her mailbox, in a programme that its short name names, on a day by the relay's clock.
// It takes as long as a proof of work.
func (r *Receipt) Look(rand io.Reader, at Session, site [16]byte, day krama.Day) ([]byte, error) {
	proof, err := CallWork(rand, r.Mailbox, day)
	if err != nil {
		return nil, err
	}
	pub := r.Auth.Public().(ed25519.PublicKey)
	return NewCall(rand, r.Auth, PathReply, at, site, r.Mailbox, Frame(pub, u32(uint32(day)), proof[:]))
}
