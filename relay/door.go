package relay

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/crypto/chacha20"

	"krama"
	"krama/seal"
)

// What anybody may call. Nobody has an account here, so limits are one for all, in memory only.
const (
	doorMax       = 2 << 20
	intakesMax    = 64
	reportRate    = 10_000.0 / 3600 // reports a second, over all
	reportBurst   = 200
	tryRate       = 50 // checks of proofs a second, over all
	tryBurst      = 500
	reportsKept   = 20_000 // of one intake
	replyRate     = 20
	replyBurst    = 200
	slipRate      = 0.5
	slipBurst     = 120
	slipAnswers   = 8 // to one slip
	slipKeep      = 120 * 24 * time.Hour
	replyTick     = 40 * time.Millisecond
	replySpread   = 16 * time.Millisecond
	reportsAnswer = 2 << 20
)

var (
	bucketReports = [16]byte{2}
	bucketReplies = [16]byte{3}
	bucketSlips   = [16]byte{4}
	bucketTries   = [16]byte{5}
)

// work remembers proofs of work that were spent, and lets a few be checked at a time: each takes a mebibyte and a millisecond.
type work struct {
	spent *seen
	turn  sync.Mutex
}

// publish takes a programme's door and tells which intakes are open.
func (r *Relay) publish(req *http.Request, call *seal.Call) ([]byte, error) {
	if err := r.control(req, call); err != nil {
		return nil, err
	}
	it, err := seal.ParseFrame(call.Payload, 1+intakesMax)
	if err != nil || len(it) < 1 {
		return nil, krama.E("relay", krama.Invalid, "door")
	}
	if len(it[0]) > doorMax {
		return nil, krama.E("relay", krama.TooLarge, "")
	}
	var ids [][16]byte
	for _, b := range it[1:] {
		if len(b) != 16 {
			return nil, krama.E("relay", krama.Invalid, "door")
		}
		ids = append(ids, [16]byte(b))
	}
	if err := r.store.SetDoor(req.Context(), call.Principal, it[0], ids); err != nil {
		return nil, err
	}
	if r.OnDoor != nil {
		r.OnDoor()
	}
	return nil, nil
}

// Door is what the relay's first programme publishes; NotFound while it publishes nothing.
func (r *Relay) Door(ctx context.Context) ([]byte, error) { return r.store.Door(ctx, [16]byte{}) }

// report takes a sealed report from anybody: no signature, no account, a proof of work. What it keeps is the day and the bytes.
func (r *Relay) report(req *http.Request, body []byte) ([]byte, error) {
	it, err := seal.ParseItems(body, 16, 16, 4, seal.WorkSize, -1)
	if err != nil || !seal.ReportSize(len(it[4])) {
		return nil, krama.E("relay", krama.Invalid, "report")
	}
	now := r.now()
	today, day := krama.DayOf(now), krama.Day(binary.BigEndian.Uint32(it[2]))
	if day < today-1 || day > today+1 {
		return nil, errRefused // the caller's clock is wrong: the answer carries the time
	}
	if !r.rates.take(bucketTries, now, tryRate, tryBurst) {
		return nil, krama.E("relay", krama.TooMany, "")
	}
	r.work.turn.Lock()
	ok := seal.Worked([16]byte(it[0]), day, [seal.WorkSize]byte(it[3]))
	r.work.turn.Unlock()
	if !ok {
		return nil, errRefused
	}
	// A proof is spent with the report it came with, so that the same report can be sent again when an answer was lost.
	sum := sha256.Sum256(it[3])
	once := sha256.Sum256(append(sum[:], it[4]...))
	if !r.work.spent.has([16]byte(once[:16])) {
		if !r.rates.take(bucketReports, now, reportRate, reportBurst) {
			return nil, krama.E("relay", krama.TooMany, "")
		}
		fresh, room := r.work.spent.add([16]byte(sum[:16]), now)
		if !fresh {
			return nil, errRefused
		}
		if _, more := r.work.spent.add([16]byte(once[:16]), now); !room || !more {
			return nil, krama.E("relay", krama.TooMany, "")
		}
	}
	return nil, r.store.PutReport(req.Context(), [16]byte(it[1]), today, it[4], reportsKept)
}

// reply gives a reporter what lies in her mailbox. Every answer has the same size and leaves at the same beat, whether there is
// such a mailbox or not: where an answer is missing there is noise, the same noise every time.
func (r *Relay) reply(req *http.Request, call *seal.Call) ([]byte, error) {
	began := time.Now()
	defer func() { // the next beat after the work, and a random while, so that how long it took does not show
		var b [2]byte
		rand.Read(b[:])
		time.Sleep(replyTick - time.Since(began)%replyTick + time.Duration(binary.BigEndian.Uint16(b[:]))*replySpread>>16)
	}()
	it, err := seal.ParseItems(call.Payload, ed25519.PublicKeySize)
	if err != nil {
		return nil, err
	}
	if !r.rates.take(bucketReplies, r.now(), replyRate, replyBurst) {
		return nil, krama.E("relay", krama.TooMany, "")
	}
	if err := r.admit(call, it[0], req.URL.Path, replyRate, replyBurst); err != nil {
		return nil, err
	}
	out := r.noise(call.Principal)
	items, err := r.store.Box(req.Context(), call.Principal, r.now())
	if err != nil {
		return nil, err
	}
	n := seal.Replies
	for i := len(items) - 1; i >= 0 && n > 0; i-- {
		if len(items[i]) == seal.ReplyItem && [32]byte(items[i]) == [32]byte(it[0]) {
			n--
			copy(out[n*seal.ReplySize:], items[i][32:])
		}
	}
	return out, nil
}

// noise is what an empty mailbox holds.
func (r *Relay) noise(box [16]byte) []byte {
	out := make([]byte, seal.Replies*seal.ReplySize)
	key := seal.Derive(r.secret, box[:], 32, "noise")
	c, err := chacha20.NewUnauthenticatedCipher(key, make([]byte, chacha20.NonceSize))
	if err != nil {
		panic(err) // key and nonce have the sizes it asks for
	}
	c.XORKeyStream(out, out)
	return out
}

// intake admits a call about an intake, signed with the key of the stream that its id commits to. A successor of the stream has
// taken that key's place.
func (r *Relay) intake(req *http.Request, call *seal.Call) (intake [16]byte, at int64, ids [][32]byte, err error) {
	if _, err = r.stream(req, call); err != nil {
		return intake, 0, nil, err
	}
	it, err := seal.ParseItems(call.Payload, ed25519.PublicKeySize, 8, -1)
	if err != nil || len(it[2])%32 != 0 || len(it[2]) > 32*dropMax {
		return intake, 0, nil, krama.E("relay", krama.Invalid, "intake")
	}
	for b := it[2]; len(b) > 0; b = b[32:] {
		ids = append(ids, [32]byte(b))
	}
	return seal.IntakeID(it[0], seal.StreamID(call.Principal)), int64(binary.BigEndian.Uint64(it[1]) >> 1), ids, nil
}

// dropMax is how many reports one call forgets by name.
const dropMax = 2000

// reports gives an intake's reports after one: how many there are, then number, day and bytes of each that fits.
func (r *Relay) reports(req *http.Request, call *seal.Call) ([]byte, error) {
	intake, after, _, err := r.intake(req, call)
	if err != nil {
		return nil, err
	}
	list, waiting, err := r.store.Reports(req.Context(), intake, after, reportsAnswer)
	if err != nil {
		return nil, err
	}
	out := [][]byte{binary.BigEndian.AppendUint64(nil, uint64(waiting))}
	for _, e := range list {
		out = append(out, binary.BigEndian.AppendUint64(nil, uint64(e.K)<<1), binary.BigEndian.AppendUint32(nil, uint32(e.Day)), e.Body)
	}
	return seal.Frame(out...), nil
}

// reported forgets reports by the hashes of their bytes, and those up to a number: a relay that was restored counts anew, so what a
// desk has taken in is named and not counted.
func (r *Relay) reported(req *http.Request, call *seal.Call) ([]byte, error) {
	intake, upTo, ids, err := r.intake(req, call)
	if err != nil {
		return nil, err
	}
	return nil, r.store.DropReports(req.Context(), intake, upTo, ids)
}

// AnswerSlip keeps what a service says of a slip: accepted, done, could not. Any code that is well made is taken, the relay does
// not know which ones exist: the phone that made one may be without a network for days.
func (r *Relay) AnswerSlip(ctx context.Context, code krama.SlipCode, what uint8) error {
	if !krama.Known(krama.Outcomes, what) {
		return krama.E("relay.AnswerSlip", krama.Invalid, "")
	}
	now := r.now()
	if !r.rates.take(bucketSlips, now, slipRate, slipBurst) {
		return krama.E("relay.AnswerSlip", krama.TooMany, "")
	}
	item := append([]byte{what}, binary.BigEndian.AppendUint32(nil, uint32(krama.DayOf(now)))...)
	return r.store.PutBox(ctx, []BoxPut{{seal.SlipBox(code), item}}, now.Add(slipKeep), slipAnswers)
}

// slips gives the answers to slips, one frame a slip in the order asked.
func (r *Relay) slips(req *http.Request, call *seal.Call) ([]byte, error) {
	if _, err := r.stream(req, call); err != nil {
		return nil, err
	}
	it, err := seal.ParseFrame(call.Payload, 256)
	if err != nil {
		return nil, krama.E("relay", krama.Invalid, "slips")
	}
	var out [][]byte
	for _, id := range it {
		if len(id) != 16 {
			return nil, krama.E("relay", krama.Invalid, "slips")
		}
		items, err := r.store.Box(req.Context(), [16]byte(id), r.now())
		if err != nil {
			return nil, err
		}
		var answers [][]byte
		for _, a := range items {
			if len(a) == 5 { // anything else under this id is not an answer
				answers = append(answers, a)
			}
		}
		out = append(out, seal.Frame(answers...))
	}
	return seal.Frame(out...), nil
}

// secretOf is what the relay's noise is made with. It outlives the process, so that an empty mailbox looks the same for ever.
func secretOf(token string, rand io.Reader) []byte {
	if token != "" {
		h := seal.Hash("relay secret", []byte(token))
		return h[:]
	}
	b := make([]byte, 32)
	if _, err := io.ReadFull(rand, b); err != nil {
		panic(err) // the system has no randomness: nothing can be served
	}
	return b
}
