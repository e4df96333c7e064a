package seal

import (
	"crypto/ed25519"
	"encoding/binary"
	"io"

	"krama"
)

// Paths of the relay. Every request is a POST; but for PathHello and PathReport it is a signed call. What the first
// version's paths began with, OldPaths, is answered with "not yet": a device of that version says that it must be
// updated.
const (
	OldPaths = "/v1/"

	PathHello   = "/v2/hello"   // anybody: the relay's session, to which calls are bound
	PathFound   = "/v2/found"   // a new programme, by whoever has the relay's token
	PathMembers = "/v2/members" // the programme's short name and its devices
	PathControl = "/v2/control" // hands the programme to another control key

	PathCreate    = "/v2/create"
	PathLine      = "/v2/line" // says which streams are circle 0's, in their order
	PathClose     = "/v2/close"
	PathRewind    = "/v2/rewind"    // a restored relay goes back to the place where its history is the signed one
	PathTombstone = "/v2/tombstone" // an admin's desk replaces envelopes that nobody can open any more
	PathAppend    = "/v2/append"
	PathRestore   = "/v2/restore" // an admin's desk gives back what a restored relay lost
	PathList      = "/v2/list"

	PathBoxPut  = "/v2/box/put" // into devices' mailboxes
	PathBoxGet  = "/v2/box/get"
	PathBoxKeep = "/v2/box/keep" // a mailbox that does not expire: the trustees'
	PathDropPut = "/v2/drop/put" // by a new device, that no programme knows yet
	PathDropGet = "/v2/drop/get"

	PathLeavePut  = "/v2/leave/put"  // what a device leaves for the admins, removed or not
	PathLeaveMine = "/v2/leave/mine" // what it has left, read back
	PathLeaveGet  = "/v2/leave/get"  // by the admins

	PathBlobPut  = "/v2/blob/put"
	PathBlobGet  = "/v2/blob/get"
	PathBlobDrop = "/v2/blob/drop" // old keyring pages

	PathDoor      = "/v2/door"       // what anybody may see, and which intakes are open
	PathDoorGet   = "/v2/door/get"   // by a site that runs apart from its relay
	PathReport    = "/v2/report"     // anybody's, with a proof of work and no signature
	PathAnswerPut = "/v2/answer/put" // into a reporter's mailbox
	PathReply     = "/v2/reply"      // a reporter looks for answers, with a proof of work
	PathReports   = "/v2/reports"    // the key of an intake's stream fetches what was reported
	PathReported  = "/v2/reported"   // and has the relay forget it
	PathSlip      = "/v2/slip"       // what a service says of a slip, by a site that runs apart from its relay
	PathSlips     = "/v2/slips"      // answers to slips

	PathPepperPut  = "/v2/pepper/put"  // the relay's part of a device's vault key
	PathPepperGet  = "/v2/pepper/get"  // by whoever gives the words
	PathPepperDrop = "/v2/pepper/drop" // of removed devices, for ever

	PathPart = "/v2/part" // a piece of the payload of a call that is made next
)

// TimeHeader carries the relay's time in milliseconds in every answer, for callers whose clocks are wrong.
const TimeHeader = "Krama-Time"

// Session is one run of a relay. Calls are bound to it and dated by it: a call from before the relay's start is void,
// and its wall clock, which somebody may set right at any moment, is nothing that a call depends on.
type Session struct {
	Boot [16]byte // drawn when the relay starts
	MS   uint64   // milliseconds since
}

// SessionSize is the length of a session's bytes, which a refusal carries too.
const SessionSize = 24

// Marshal returns the session's 24 bytes.
func (s Session) Marshal() []byte { return append(append([]byte(nil), s.Boot[:]...), u64(s.MS)...) }

// ParseSession reads what Marshal wrote.
func ParseSession(b []byte) (s Session, err error) {
	if len(b) != SessionSize {
		return s, malformed("session")
	}
	return Session{[16]byte(b), binary.BigEndian.Uint64(b[16:])}, nil
}

// Call is one request to the relay: in which programme, who acts, when, once, and with what. The signature is over the
// sum of the payload and not the payload, so that the relay knows who calls before it reads more than CallHead bytes.
type Call struct {
	Programme [16]byte // the programme's short name; zero where the caller cannot know one yet
	Principal [16]byte // the stream, device, mailbox, drop or programme that acts
	MS        uint64   // by the relay's session
	Nonce     [16]byte
	Sum       [32]byte // SHA-256 of the payload
	Sig       []byte
	Payload   []byte
}

const (
	signedSize = 16 + 16 + 8 + 16 + 32
	authSize   = signedSize + ed25519.SignatureSize

	// CallHead is how much of a call's bytes comes before its payload.
	CallHead = 4 + authSize + 4
)

// NewCall signs a call and returns its bytes. The signature travels in the body, not in a header, so that a browser
// sends a simple request without asking the relay first.
func NewCall(rand io.Reader, key ed25519.PrivateKey, path string, at Session, programme, principal [16]byte,
	payload []byte) ([]byte, error) {
	head, err := NewCallHead(rand, key, path, at, programme, principal, SHA256(payload), len(payload))
	return append(head, payload...), err
}

// NewCallHead signs a call whose payload has the sum and comes after the head, or, with size 0, went ahead of it in
// parts.
func NewCallHead(rand io.Reader, key ed25519.PrivateKey, path string, at Session, programme, principal [16]byte,
	sum [32]byte, size int) ([]byte, error) {
	auth := append(append(make([]byte, 0, authSize), programme[:]...), principal[:]...)
	auth = append(auth, u64(at.MS)...)
	var nonce [16]byte
	if _, err := io.ReadFull(rand, nonce[:]); err != nil {
		return nil, krama.Wrap("seal.NewCall", err)
	}
	auth = append(append(auth, nonce[:]...), sum[:]...)
	m := callMessage(path, at.Boot, auth)
	auth = append(auth, ed25519.Sign(key, m[:])...)
	return append(Frame(auth), u32(uint32(size))...), nil
}

// callMessage is what a caller signs: her path, the relay's run, and all that the head says.
func callMessage(path string, boot [16]byte, signed []byte) [32]byte {
	return Hash("call", []byte(path), boot[:], signed)
}

// ParseCallHead reads the first CallHead bytes of a call, and how long its payload is.
func ParseCallHead(b []byte) (c *Call, payload int, err error) {
	if len(b) != CallHead || binary.BigEndian.Uint32(b) != authSize {
		return nil, 0, malformed("call")
	}
	a := b[4:]
	n := binary.BigEndian.Uint32(b[4+authSize:])
	if n > 1<<30 {
		return nil, 0, malformed("call")
	}
	return &Call{[16]byte(a), [16]byte(a[16:]), binary.BigEndian.Uint64(a[32:]), [16]byte(a[40:]), [32]byte(a[56:]),
			a[signedSize:authSize:authSize], nil},
		int(n), nil
}

// ParseCall reads a whole call. Check verifies who made it, and the payload's sum was compared here.
func ParseCall(b []byte) (*Call, error) {
	if len(b) < CallHead {
		return nil, malformed("call")
	}
	c, n, err := ParseCallHead(b[:CallHead])
	if err != nil {
		return nil, err
	}
	if c.Payload = b[CallHead:]; len(c.Payload) != n || SHA256(c.Payload) != c.Sum {
		return nil, malformed("call")
	}
	return c, nil
}

// Check verifies the call's signature for a path at one run of a relay.
func (c *Call) Check(pub ed25519.PublicKey, path string, boot [16]byte) bool {
	signed := append(append(make([]byte, 0, signedSize), c.Programme[:]...), c.Principal[:]...)
	signed = append(append(append(signed, u64(c.MS)...), c.Nonce[:]...), c.Sum[:]...)
	m := callMessage(path, boot, signed)
	return verify(pub, m[:], c.Sig)
}

// SiteOf is a programme's short name: what its devices, its trustees' cards and its reporters' pages know before they
// know anything else of it. It says nothing of the organisation.
func SiteOf(org krama.OrgID) [16]byte {
	h := Hash("site", org[:])
	return [16]byte(h[:16])
}
