package seal

import (
	"crypto/ed25519"
	"encoding/binary"
	"io"

	"krama"
)

// Bounds of an envelope, in bytes on the wire and items.
const (
	MinEnvelope = 1024
	MaxEnvelope = 65536
	MaxItems    = 512
	headerSize  = 145
	sigSize     = ed25519.SignatureSize
	overhead    = 1 + 32 + 16 // version, salt, tag
	itemMin     = 16 + 1 + 16
)

// EnvelopeKind tells roster statements from content.
type EnvelopeKind byte

// Envelope kinds.
const (
	EnvRoster  EnvelopeKind = 0
	EnvContent EnvelopeKind = 1
)

// ItemKind is the kind of one item.
type ItemKind byte

// Item kinds.
const (
	KindStatement    ItemKind = 0
	KindRecord       ItemKind = 1 // about a subject, under her key
	KindCircleRecord ItemKind = 2 // no personal data
	KindSubjectKey   ItemKind = 3 // announces a subject's key
	KindShred        ItemKind = 4
	KindHeartbeat    ItemKind = 5
	KindRewrap       ItemKind = 6
	KindAnswer       ItemKind = 7
	KindUnshred      ItemKind = 8 // takes an erasure back that waits
	KindErased       ItemKind = 9 // in circle 0: a token of somebody who is being erased
)

// subjectful reports whether items of the kind name a subject; for the others the subject is zero.
func (k ItemKind) subjectful() bool {
	return k == KindRecord || k == KindSubjectKey || k == KindShred || k == KindUnshred
}

// Header is the signed, sealed head of an envelope: 145 bytes.
type Header struct {
	Author krama.DeviceID
	Kind   EnvelopeKind
	Seq    uint64   // per author and circle, from 1, across epochs
	Prev   [32]byte // id of the author's previous envelope in the circle; zero at 1
	Head   Head     // last position of this stream the author had verified
	Roster Head     // the same for the roster
	TimeMS uint64   // advisory; only a lone admin's wait depends on it (Delay)
}

// marshal is the head as it is sealed: of one size, whoever wrote it.
func (h *Header) marshal() []byte {
	b := make([]byte, 0, headerSize)
	b = append(b, h.Author[:]...)
	b = append(b, byte(h.Kind))
	b = append(b, u64(h.Seq)...)
	b = append(b, h.Prev[:]...)
	b = append(append(b, u64(h.Head.N)...), h.Head.H[:]...)
	b = append(append(b, u64(h.Roster.N)...), h.Roster.H[:]...)
	return append(b, u64(h.TimeMS)...)
}

// parseHeader reads a head.
func parseHeader(b []byte) (h Header) {
	copy(h.Author[:], b)
	h.Kind = EnvelopeKind(b[16])
	h.Seq = binary.BigEndian.Uint64(b[17:])
	copy(h.Prev[:], b[25:])
	h.Head.N = binary.BigEndian.Uint64(b[57:])
	copy(h.Head.H[:], b[65:])
	h.Roster.N = binary.BigEndian.Uint64(b[97:])
	copy(h.Roster.H[:], b[105:])
	h.TimeMS = binary.BigEndian.Uint64(b[137:])
	return h
}

// Item is one sealed part of an envelope before sealing or after opening.
type Item struct {
	Subject krama.SubjectID
	Kind    ItemKind
	Body    []byte
}

// KeyLookup returns the key of a subject in the envelope's circle.
type KeyLookup func(krama.SubjectID) (SubjectKey, bool)

// ItemSize is how many bytes an item with a body of n bytes adds to an envelope before padding.
func ItemSize(n int) int { return 4 + itemMin + n }

// ItemRoom is how many bytes of items fit in one envelope.
const ItemRoom = MaxEnvelope - overhead - 4 - headerSize - sigSize

// Seal makes one envelope of 1 to 512 items. A SUBJECT-KEY item makes its key available to the items after it.
func (e *Epoch) Seal(rand io.Reader, d *Device, h Header, items []Item, keys KeyLookup) ([]byte, error) {
	var r [32]byte
	if _, err := io.ReadFull(rand, r[:]); err != nil {
		return nil, krama.Wrap("seal.Seal", err)
	}
	var all [][]byte
	for _, it := range items {
		all = append(all, it.Subject[:], []byte{byte(it.Kind)}, it.Body)
	}
	content := SHA256(Frame(all...))
	salt := [32]byte(Derive(d.SaltSecret[:], r[:], 32, "salt", h.marshal(), content[:]))
	return e.sealWith(salt, d.Sig, h, items, keys)
}

// sealWith is Seal with a salt that is given: the vectors need the same bytes twice.
func (e *Epoch) sealWith(salt [32]byte, sig ed25519.PrivateKey, h Header, items []Item,
	keys KeyLookup) ([]byte, error) {
	const op = "seal.Seal"
	if len(items) < 1 || len(items) > MaxItems {
		return nil, krama.E(op, krama.Invalid, "1 to 512 items")
	}
	head := h.marshal()
	hk := hashCtx("env head", e.Context, salt[:], head)
	announced := map[krama.SubjectID]SubjectKey{}
	var payload []byte
	for i, it := range items {
		x, err := e.itemSecret(it.Kind, it.Subject, announced, keys)
		if err != nil {
			return nil, err
		}
		if it.Kind == KindSubjectKey {
			if len(it.Body) != 32 {
				return nil, krama.E(op, krama.Invalid, "a subject key has 32 bytes")
			}
			announced[it.Subject] = SubjectKey(it.Body)
		}
		key, ad := e.itemKey(x, salt[:], hk, uint32(i), it.Subject, it.Kind)
		payload = binary.BigEndian.AppendUint32(payload, uint32(itemMin+len(it.Body)))
		payload = append(append(payload, it.Subject[:]...), byte(it.Kind))
		payload = sealOnce(payload, key, it.Body, ad)
	}
	msg := Hash("env sig", hk[:], payload)
	outer := append(append(head, ed25519.Sign(sig, msg[:])...), payload...)
	size := wireSize(len(outer))
	if size > MaxEnvelope {
		return nil, krama.E(op, krama.TooLarge, "")
	}
	pt := make([]byte, size-overhead)
	binary.BigEndian.PutUint32(pt, uint32(len(outer)))
	copy(pt[4:], outer)
	wire := append([]byte{1}, salt[:]...)
	return sealOnce(wire, e.outerKey(salt[:]), pt, e.outerAD(salt[:])), nil
}

// wireSize is how long an envelope is on the wire: one of few sizes, so that its length tells little.
func wireSize(outer int) int { return max(MinEnvelope, Padme(outer+4+overhead)) }

// outerKey is the key of an envelope's outer layer, which opens its head and no record.
func (e *Epoch) outerKey(salt []byte) []byte {
	return deriveCtx(e.ES[:], salt, 32, "env outer", e.Context)
}

// outerAD binds the outer layer to its place.
func (e *Epoch) outerAD(salt []byte) []byte {
	return encCtx("env outer", e.Context, []byte{1}, salt)
}

// itemSecret returns what, beside ES, an item's key is made from.
func (e *Epoch) itemSecret(k ItemKind, s krama.SubjectID, announced map[krama.SubjectID]SubjectKey,
	keys KeyLookup) ([32]byte, error) {
	if k.subjectful() == (s == krama.SubjectID{}) {
		return [32]byte{}, malformed("item subject")
	}
	switch k {
	case KindSubjectKey:
		return e.KG, nil
	case KindRecord, KindShred, KindUnshred:
		if x, ok := announced[s]; ok {
			return x, nil
		}
		if keys != nil {
			if x, ok := keys(s); ok {
				return x, nil
			}
		}
		return [32]byte{}, krama.E("seal.item", krama.CannotDecrypt, "key pending")
	case KindStatement, KindCircleRecord, KindHeartbeat, KindRewrap, KindAnswer, KindErased:
		return [32]byte{}, nil
	}
	return [32]byte{}, malformed("item kind")
}

// itemKey is the key of one item: who lacks the subject's key opens the others and not this one.
func (e *Epoch) itemKey(x [32]byte, salt []byte, hk [32]byte, i uint32, s krama.SubjectID, k ItemKind) (key,
	ad []byte) {
	secret := append(append(make([]byte, 0, 64), e.ES[:]...), x[:]...)
	info := enc("env item", hk[:], u32(i), s[:], []byte{byte(k)})
	return derive(secret, salt, 32, info), info
}

// Verdict is the only set of results that opening can have. Everything but Fine keeps an envelope or item off the
// screen.
type Verdict uint8

// Verdicts, in the order of the checks.
const (
	Fine Verdict = iota
	Malformed
	WasTampered
	Unauthorised
	Forged
	Fork
	Gap
	Equivocation
	KeyPending
	Shredded
)

var verdictNames = [...]string{"fine", "malformed", "tampered", "unauthorised", "forged", "fork", "gap", "equivocation",
	"key-pending", "shredded"}

func (v Verdict) String() string { return verdictNames[v] }

// Envelope is an envelope whose outer layer opened. Nothing in it may be believed before Verify.
type Envelope struct {
	Header
	ID      [32]byte
	epoch   *Epoch
	salt    []byte
	hk      [32]byte
	sig     []byte
	payload []byte
	items   [][]byte
}

// Open takes off the outer layer: steps 1 to 3 of the order of checks.
func (e *Epoch) Open(wire []byte) (*Envelope, Verdict) {
	if len(wire) < MinEnvelope || len(wire) > MaxEnvelope || wire[0] != 1 {
		return nil, Malformed
	}
	salt := wire[1:33]
	pt, err := openOnce(e.outerKey(salt), wire[33:], e.outerAD(salt))
	if err != nil {
		return nil, WasTampered
	}
	n := binary.BigEndian.Uint32(pt)
	if n < headerSize+sigSize || uint64(n) > uint64(len(pt)-4) || wireSize(int(n)) != len(wire) {
		return nil, Malformed
	}
	outer, pad := pt[4:4+n], pt[4+n:]
	for _, b := range pad {
		if b != 0 {
			return nil, Malformed
		}
	}
	env := &Envelope{Header: parseHeader(outer), ID: EnvelopeID(wire), epoch: e, salt: salt,
		sig: outer[headerSize : headerSize+sigSize], payload: outer[headerSize+sigSize:]}
	env.hk = hashCtx("env head", e.Context, salt, outer[:headerSize])
	env.items, err = ParseFrame(env.payload, MaxItems)
	if err != nil || len(env.items) == 0 || env.Kind > EnvContent {
		return nil, Malformed
	}
	for _, it := range env.items {
		if len(it) < itemMin {
			return nil, Malformed
		}
	}
	return env, Fine
}

// message is what the author signs. hk binds it to the context, the salt and the header.
func (env *Envelope) message() [32]byte { return Hash("env sig", env.hk[:], env.payload) }

// Verify checks the author's signature: step 5.
func (env *Envelope) Verify(pub ed25519.PublicKey) Verdict {
	msg := env.message()
	if !verify(pub, msg[:], env.sig) {
		return Forged
	}
	return Fine
}

// Len returns the number of items.
func (env *Envelope) Len() int { return len(env.items) }

// Peek returns an item's subject and kind without opening it.
func (env *Envelope) Peek(i int) (krama.SubjectID, ItemKind) {
	it := env.items[i]
	return krama.SubjectID(it[:16]), ItemKind(it[16])
}

// Item opens item i: step 10. keys must already know the subject keys that earlier items announced.
func (env *Envelope) Item(i int, keys KeyLookup) (Item, Verdict) {
	s, k := env.Peek(i)
	x, err := env.epoch.itemSecret(k, s, nil, keys)
	switch krama.KindOf(err) {
	case krama.Invalid:
		return Item{}, Malformed
	case krama.CannotDecrypt:
		return Item{}, KeyPending
	}
	key, ad := env.epoch.itemKey(x, env.salt, env.hk, uint32(i), s, k)
	body, err := openOnce(key, env.items[i][17:], ad)
	if err != nil {
		return Item{}, WasTampered
	}
	if k == KindSubjectKey && len(body) != 32 {
		return Item{}, Malformed
	}
	return Item{s, k, body}, Fine
}
