package seal

import (
	"crypto/ed25519"
	"encoding/binary"
	"io"

	"krama"
)

// A hand-over is what a device leaves for the admins when no stream takes its work any more. It is sealed under the
// secrets of the epochs the device was in, not to anybody's KEM key: a removed device cannot learn the admins' newest
// keys, and the secrets of past epochs stay with those who may read them. The outer layer, under circle 0, hides which
// circle it is of; the inner one is the circle's own.

// HandoverBox is where hand-overs of circle 0's epoch lie at the relay.
func (e *Epoch) HandoverBox() [16]byte {
	return [16]byte(deriveCtx(e.ES[:], nil, 16, "handover box", e.Context))
}

// handoverMessage is what a device signs of what it leaves behind.
func handoverMessage(l Letter, ctx Context) []byte {
	m := hashCtx("handover sig", ctx, l.From[:], []byte{byte(l.Kind)}, l.Body)
	return m[:]
}

// SealHandover seals a letter from a device. org is circle 0's epoch; in is the circle whose members may read it, or
// org itself for what every device may know.
func SealHandover(rand io.Reader, org, in *Epoch, from *Device, k LetterKind, body []byte) ([]byte, error) {
	const op = "seal.SealHandover"
	if len(body) > MaxLetter {
		return nil, krama.E(op, krama.TooLarge, "")
	}
	var salts [64]byte
	if _, err := io.ReadFull(rand, salts[:]); err != nil {
		return nil, krama.Wrap(op, err)
	}
	l := Letter{Kind: k, From: from.ID(), Body: body}
	pt := Frame([]byte{byte(k)}, l.From[:], body, ed25519.Sign(from.Sig, handoverMessage(l, in.Context)))
	inner := sealOnce(nil, deriveCtx(in.ES[:], salts[:32], 32, "handover", in.Context), pt, encCtx("handover",
		in.Context, salts[:32]))
	outer := Frame(in.Circle[:], u32(in.Epoch), salts[:32], inner)
	size := max(letterMin, Padme(len(outer)+8))
	outer = Frame(outer, make([]byte, size-len(outer)-8))
	return sealOnce(append([]byte{1}, salts[32:]...), deriveCtx(org.ES[:], salts[32:], 32, "handover outer",
		org.Context), outer,
		encCtx("handover outer", org.Context, salts[32:])), nil
}

// OpenHandover opens a hand-over of circle 0's epoch org; known gives the secrets of other circles' epochs. The
// signature is checked with the sender's key, which sig asks for.
func OpenHandover(org *Epoch, wire []byte, known func(krama.CircleID, uint32) *Epoch,
	sig func(krama.DeviceID) ed25519.PublicKey) (l Letter, err error) {
	if len(wire) < 33 || wire[0] != 1 {
		return l, malformed("handover")
	}
	salt := wire[1:33]
	pt, err := openOnce(deriveCtx(org.ES[:], salt, 32, "handover outer", org.Context), wire[33:],
		encCtx("handover outer", org.Context, salt))
	if err != nil {
		return l, err
	}
	padded, err := parseExact(pt, "handover", -1, -1)
	if err != nil {
		return l, err
	}
	o, err := parseExact(padded[0], "handover", 16, 4, 32, -1)
	if err != nil {
		return l, err
	}
	in := known(krama.CircleID(o[0]), binary.BigEndian.Uint32(o[1]))
	if in == nil {
		return l, krama.E("seal.OpenHandover", krama.CannotDecrypt, "not this device's circle")
	}
	pt, err = openOnce(deriveCtx(in.ES[:], o[2], 32, "handover", in.Context), o[3],
		encCtx("handover", in.Context, o[2]))
	if err != nil {
		return l, err
	}
	it, err := parseExact(pt, "handover", 1, 16, -1, ed25519.SignatureSize)
	if err != nil {
		return l, err
	}
	l = Letter{LetterKind(it[0][0]), krama.DeviceID(it[1]), it[2]}
	if pub := sig(l.From); pub == nil || !verify(pub, handoverMessage(l, in.Context), it[3]) {
		return Letter{}, krama.E("seal.OpenHandover", krama.Tampered, "signature")
	}
	return l, nil
}
