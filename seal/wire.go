package seal

import (
	"crypto/ed25519"
	"encoding/binary"
	"io"

	"krama"
)

// Paths of the relay. Every request is a POST of a signed call; nothing else is answered.
const (
	PathFound   = "/v1/found"
	PathCreate  = "/v1/create"
	PathClose   = "/v1/close"
	PathAppend  = "/v1/append"
	PathList    = "/v1/list"
	PathBoxPut  = "/v1/box/put"
	PathBoxGet  = "/v1/box/get"
	PathDropPut = "/v1/drop/put"
	PathDropGet = "/v1/drop/get"
	PathBlobPut = "/v1/blob/put"
	PathBlobGet = "/v1/blob/get"

	PathDoor     = "/v1/door"      // the control key's holder publishes what anybody may see, and which intakes are open
	PathReport   = "/v1/report"    // anybody's, with a proof of work and no signature
	PathReply    = "/v1/reply"     // a reporter looks for answers
	PathReports  = "/v1/reports"   // the key of an intake's stream fetches what was reported
	PathReported = "/v1/reported"  // and has the relay forget it
	PathSlips    = "/v1/slips"     // answers to slips
	PathControl  = "/v1/control"   // hands the programme to another control key
	PathBoxKeep  = "/v1/box/keep"  // a mailbox that does not expire: the trustees'
	PathBlobDrop = "/v1/blob/drop" // old keyring pages
	PathRewind   = "/v1/rewind"    // a restored relay goes back to the place where its history is the signed one

	PathTombstone = "/v1/tombstone" // an admin's desk replaces envelopes that nobody can open any more

	PathPepperPut  = "/v1/pepper/put"  // the relay's part of a device's vault key
	PathPepperGet  = "/v1/pepper/get"  // by whoever gives the words
	PathPepperDrop = "/v1/pepper/drop" // of removed devices, for ever
)

// TimeHeader carries the relay's time in milliseconds in every answer, for callers whose clocks are wrong.
const TimeHeader = "Krama-Time"

// Call is one request to the relay: who acts, when, once, and with what.
type Call struct {
	Principal [16]byte
	MS        uint64
	Nonce     [16]byte
	Sig       []byte
	Payload   []byte
}

const authSize = 16 + 8 + 16 + ed25519.SignatureSize

// NewCall signs a call and returns its bytes. The signature travels in the body, not in a header, so that a browser
// sends a simple request without asking the relay first.
func NewCall(rand io.Reader, key ed25519.PrivateKey, path string, principal [16]byte, ms uint64, payload []byte) ([]byte, error) {
	var nonce [16]byte
	if _, err := io.ReadFull(rand, nonce[:]); err != nil {
		return nil, krama.Wrap("seal.NewCall", err)
	}
	auth := append(append(append(make([]byte, 0, authSize), principal[:]...), u64(ms)...), nonce[:]...)
	auth = append(auth, SignRequest(key, "POST", path, principal, payload, ms, nonce)...)
	return Frame(auth, payload), nil
}

// ParseCall reads a call's bytes. Check verifies it.
func ParseCall(b []byte) (*Call, error) {
	it, err := parseExact(b, "call", authSize, -1)
	if err != nil {
		return nil, err
	}
	a := it[0]
	return &Call{[16]byte(a[:16]), binary.BigEndian.Uint64(a[16:]), [16]byte(a[24:40]), a[40:], it[1]}, nil
}

// Check verifies the call's signature.
func (c *Call) Check(pub ed25519.PublicKey, path string) bool {
	return CheckRequest(pub, "POST", path, c.Principal, c.Payload, c.MS, c.Nonce, c.Sig)
}

// AppendCall is the payload of PathAppend: envelopes in order and, when IfHead is set, only if the stream ends there.
type AppendCall struct {
	IfHead    *uint64
	Envelopes [][]byte
}

// MaxBatch bounds the envelopes of one append.
const MaxBatch = 64

// Marshal returns the payload.
func (a AppendCall) Marshal() []byte {
	var cond []byte
	if a.IfHead != nil {
		cond = u64(*a.IfHead)
	}
	return Frame(append([][]byte{cond}, a.Envelopes...)...)
}

// ParseAppend reads the payload.
func ParseAppend(b []byte) (a AppendCall, err error) {
	it, err := ParseFrame(b, 1+MaxBatch)
	if err != nil || len(it) < 2 || (len(it[0]) != 0 && len(it[0]) != 8) {
		return a, malformed("append")
	}
	if len(it[0]) == 8 {
		n := binary.BigEndian.Uint64(it[0])
		a.IfHead = &n
	}
	a.Envelopes = it[1:]
	for _, e := range a.Envelopes {
		if len(e) < MinEnvelope || len(e) > MaxEnvelope {
			return a, malformed("envelope size")
		}
	}
	return a, nil
}

// ListCall is the payload of PathList. Envelopes whose id is in Have come back as the id alone: a device that reads its own
// work back needs its place in the order, not its bytes.
type ListCall struct {
	After uint64
	Max   uint32 // bytes of envelopes, at least one comes
	Have  [][32]byte
}

// Marshal returns the payload.
func (l ListCall) Marshal() []byte {
	var have []byte
	for _, id := range l.Have {
		have = append(have, id[:]...)
	}
	return Frame(u64(l.After), u32(l.Max), have)
}

// ParseList reads the payload.
func ParseList(b []byte) (l ListCall, err error) {
	it, err := parseExact(b, "list", 8, 4, -1)
	if err != nil || len(it[2])%32 != 0 || len(it[2]) > 32*MaxBatch {
		return l, malformed("list")
	}
	l.After, l.Max = binary.BigEndian.Uint64(it[0]), binary.BigEndian.Uint32(it[1])
	for i := 0; i < len(it[2]); i += 32 {
		l.Have = append(l.Have, [32]byte(it[2][i:]))
	}
	return l, nil
}

// Listing is the answer to ListCall: the stream's head and the envelopes that follow After, each as bytes or as its id.
type Listing struct {
	Head    Head
	Entries [][]byte
}

// MaxListed bounds the entries of one listing.
const MaxListed = 4096

// Marshal returns the answer's bytes.
func (l Listing) Marshal() []byte {
	return Frame(append([][]byte{l.Head.Marshal()}, l.Entries...)...)
}

// ParseListing reads an answer.
func ParseListing(b []byte) (l Listing, err error) {
	it, err := ParseFrame(b, 1+MaxListed)
	if err != nil || len(it) < 1 {
		return l, malformed("listing")
	}
	if l.Head, err = ParseHead(it[0]); err != nil {
		return l, err
	}
	l.Entries = it[1:]
	return l, nil
}

// Marshal returns a head's 40 bytes.
func (h Head) Marshal() []byte { return append(u64(h.N), h.H[:]...) }

// ParseHead reads a head's 40 bytes.
func ParseHead(b []byte) (h Head, err error) {
	if len(b) != 40 {
		return h, malformed("head")
	}
	return Head{binary.BigEndian.Uint64(b), [32]byte(b[8:])}, nil
}

// ParseItems splits a payload into items of given sizes; -1 allows any.
func ParseItems(b []byte, sizes ...int) ([][]byte, error) { return parseExact(b, "payload", sizes...) }
