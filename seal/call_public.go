package seal

import (
	"crypto/ed25519"
	"encoding/binary"

	"krama"
)

// The payloads of calls about what is public: the door, intakes and what is reported to them, answers, slips; and
// those about peppers and parts.

// DoorCall is the payload of PathDoor: what a programme shows to anybody, and which intakes are open.
type DoorCall struct {
	Door    []byte // at most MaxDoor
	Intakes [][16]byte
}

// Marshal returns the payload.
func (c DoorCall) Marshal() []byte {
	f := [][]byte{c.Door}
	for i := range c.Intakes {
		f = append(f, c.Intakes[i][:])
	}
	return Frame(f...)
}

// ParseDoor reads the payload, of at most most intakes.
func ParseDoor(b []byte, most int) (c DoorCall, err error) {
	it, err := ParseFrame(b, 1+most)
	if err != nil || len(it) < 1 {
		return c, malformed("door")
	}
	for _, id := range it[1:] {
		if len(id) != 16 {
			return c, malformed("door")
		}
		c.Intakes = append(c.Intakes, [16]byte(id))
	}
	c.Door = it[0]
	return c, nil
}

// ReportHead is what stands before a report's sealed bytes in a call of PathReport, which has no head and no signature.
type ReportHead struct {
	Site, Intake [16]byte
	Day          krama.Day
	Proof        [WorkSize]byte
	Size         int // of the sealed bytes, which follow
}

// ReportHeadSize is how many bytes it has: each field after its length, and the report's length.
const ReportHeadSize = 4 + 16 + 4 + 16 + 4 + 4 + 4 + WorkSize + 4

// Marshal returns the head's bytes.
func (h ReportHead) Marshal() []byte {
	return append(Frame(h.Site[:], h.Intake[:], u32(uint32(h.Day)), h.Proof[:]), u32(uint32(h.Size))...)
}

// ParseReportHead reads them.
func ParseReportHead(b []byte) (h ReportHead, err error) {
	if len(b) != ReportHeadSize {
		return h, malformed("report")
	}
	it, err := parseExact(b[:ReportHeadSize-4], "report", 16, 16, 4, WorkSize)
	if err != nil {
		return h, err
	}
	return ReportHead{[16]byte(it[0]), [16]byte(it[1]), krama.Day(binary.BigEndian.Uint32(it[2])),
		[WorkSize]byte(it[3]),
		int(binary.BigEndian.Uint32(b[ReportHeadSize-4:]))}, nil
}

// AnswerCall is the payload of PathAnswerPut: a sealed answer for a reporter's mailbox.
type AnswerCall struct {
	Mailbox [16]byte
	Item    []byte // ReplyItem bytes
}

// Marshal returns the payload.
func (c AnswerCall) Marshal() []byte { return Frame(c.Mailbox[:], c.Item) }

// ParseAnswer reads the payload.
func ParseAnswer(b []byte) (c AnswerCall, err error) {
	it, err := parseExact(b, "answer", 16, ReplyItem)
	if err != nil {
		return c, err
	}
	return AnswerCall{[16]byte(it[0]), it[1]}, nil
}

// ReplyCall is the payload of PathReply: whoever has the receipt looks for answers.
type ReplyCall struct {
	ProofOfWork
}

// Marshal returns the payload.
func (c ReplyCall) Marshal() []byte { return Frame(c.Pub, u32(uint32(c.Day)), c.Proof[:]) }

// ParseReply reads the payload.
func ParseReply(b []byte) (c ReplyCall, err error) {
	it, err := parseExact(b, "reply", ed25519.PublicKeySize, 4, WorkSize)
	if err != nil {
		return c, err
	}
	return ReplyCall{ProofOfWork{it[0], krama.Day(binary.BigEndian.Uint32(it[1])), [WorkSize]byte(it[2])}}, nil
}

// IntakeCall is the payload of PathReports and PathReported: an intake by what its id commits to, a place among its
// reports, and the sums of those that are meant by name.
type IntakeCall struct {
	Sig   ed25519.PublicKey // the key that signs answers
	Place uint64            // reports after it, or up to it
	Sums  [][32]byte        // at most MaxReported
	Kem   *[32]byte         // hash of the key that reports are sealed to; nil for an intake of the first version
}

// MaxReported is how many reports one call forgets by name.
const MaxReported = 2000

// Marshal returns the payload.
func (c IntakeCall) Marshal() []byte {
	f := [][]byte{c.Sig, u64(c.Place), joinHashes(c.Sums)}
	if c.Kem != nil {
		f = append(f, c.Kem[:])
	}
	return Frame(f...)
}

// ParseIntakeCall reads the payload.
func ParseIntakeCall(b []byte) (c IntakeCall, err error) {
	it, err := parseExact(b, "intake", ed25519.PublicKeySize, 8, -1, 32)
	if err == nil {
		kem := [32]byte(it[3])
		c.Kem = &kem
	} else {
		it, err = parseExact(b, "intake", ed25519.PublicKeySize, 8, -1)
	}
	if err != nil {
		return c, malformed("intake")
	}
	c.Sig, c.Place = it[0], binary.BigEndian.Uint64(it[1])
	c.Sums, err = partHashes("intake", it[2], MaxReported)
	return c, err
}

// joinHashes puts hashes behind one another, and partHashes takes at most most of them apart.
func joinHashes(list [][32]byte) (out []byte) {
	for i := range list {
		out = append(out, list[i][:]...)
	}
	return out
}

// partHashes takes hashes apart, most of them at the most.
func partHashes(name string, b []byte, most int) (out [][32]byte, err error) {
	if len(b)%32 != 0 || len(b) > 32*most {
		return nil, malformed(name)
	}
	for ; len(b) > 0; b = b[32:] {
		out = append(out, [32]byte(b))
	}
	return out, nil
}

// SlipCall is the payload of PathSlip: what a service says of a slip.
type SlipCall struct {
	Box  [16]byte // SlipBox of its code
	What uint8    // of krama.Outcomes
}

// Marshal returns the payload.
func (c SlipCall) Marshal() []byte { return Frame(c.Box[:], []byte{c.What}) }

// ParseSlip reads the payload.
func ParseSlip(b []byte) (c SlipCall, err error) {
	it, err := parseExact(b, "slip", 16, 1)
	if err != nil || !krama.Known(krama.Outcomes, it[1][0]) {
		return c, malformed("slip")
	}
	return SlipCall{[16]byte(it[0]), it[1][0]}, nil
}

// SlipsCall is the payload of PathSlips. The answer is a frame of frames: of each slip in this order what was said, an
// outcome and a day each.
type SlipsCall struct {
	Boxes [][16]byte // at most MaxSlips
}

// MaxSlips bounds the slips of one call.
const MaxSlips = 256

// Marshal returns the payload.
func (c SlipsCall) Marshal() []byte { return frameIDs(c.Boxes) }

// ParseSlips reads the payload.
func ParseSlips(b []byte) (c SlipsCall, err error) {
	c.Boxes, err = ids[[16]byte]("slips", b, 0, MaxSlips)
	return c, err
}

// PepperPutCall is the payload of PathPepperPut: a device's peppers, in place of those before.
type PepperPutCall struct {
	Peppers []Pepper // at most MaxPeppers
}

// Marshal returns the payload.
func (c PepperPutCall) Marshal() []byte {
	var f [][]byte
	for _, p := range c.Peppers {
		f = append(f, p.Marshal())
	}
	return Frame(f...)
}

// ParsePepperPut reads the payload.
func ParsePepperPut(b []byte) (c PepperPutCall, err error) {
	it, err := ParseFrame(b, MaxPeppers)
	if err != nil {
		return c, err
	}
	for _, one := range it {
		p, ok := ParsePepper(one)
		if !ok {
			return c, malformed("pepper")
		}
		c.Peppers = append(c.Peppers, p)
	}
	return c, nil
}

// PepperDropCall is the payload of PathPepperDrop: devices that were removed.
type PepperDropCall struct {
	Devices []krama.DeviceID // at most MaxPepperDrop
}

// MaxPepperDrop bounds the devices of one call.
const MaxPepperDrop = 4096

// Marshal returns the payload.
func (c PepperDropCall) Marshal() []byte { return frameIDs(c.Devices) }

// ParsePepperDrop reads the payload.
func ParsePepperDrop(b []byte) (c PepperDropCall, err error) {
	c.Devices, err = ids[krama.DeviceID]("peppers", b, 0, MaxPepperDrop)
	return c, err
}

// PartCall is the payload of PathPart: a piece of the payload of a call that is made next. The answer is how much of
// that payload is at the relay, 4 bytes.
type PartCall struct {
	Sum           [32]byte // of the whole payload
	Total, Offset uint32
	Piece         []byte
}

// Marshal returns the payload.
func (c PartCall) Marshal() []byte { return Frame(c.Sum[:], u32(c.Total), u32(c.Offset), c.Piece) }

// ParsePart reads the payload.
func ParsePart(b []byte) (c PartCall, err error) {
	it, err := parseExact(b, "part", 32, 4, 4, -1)
	if err != nil {
		return c, err
	}
	return PartCall{[32]byte(it[0]), binary.BigEndian.Uint32(it[1]), binary.BigEndian.Uint32(it[2]), it[3]}, nil
}
