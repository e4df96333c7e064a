package relay

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"golang.org/x/crypto/chacha20"

	"krama"
	"krama/seal"
)

// publish takes a programme's door and tells which intakes are open.
func (r *Relay) publish(q *request) ([]byte, error) {
	c, err := seal.ParseDoor(q.Payload, intakesMax)
	if err != nil {
		return nil, err
	}
	if len(c.Door) > seal.MaxDoor {
		return nil, krama.E("relay", krama.TooLarge, "")
	}
	if r.CheckDoor != nil {
		if err := r.CheckDoor(c.Door); err != nil {
			return nil, err
		}
	}
	if err := r.store.SetDoor(q.ctx, q.programme.ID, c.Door, c.Intakes); err != nil {
		return nil, err
	}
	if r.OnDoor != nil {
		r.OnDoor()
	}
	return nil, nil
}

// Door is what the relay's first programme publishes; NotFound while it publishes nothing.
func (r *Relay) Door(ctx context.Context) ([]byte, error) { return r.store.Door(ctx, [16]byte{}) }

// doorGet gives a site that runs apart what the relay's first programme publishes.
func (r *Relay) doorGet(q *request) ([]byte, error) { return r.Door(q.ctx) }

// report takes a sealed report from anybody: no signature, no account, a proof of work. What it keeps is the day and
// the bytes. The proof comes first on the line and is checked before the report is read.
func (r *Relay) report(l *line) ([]byte, error) {
	ctx, size := l.req.Context(), l.size()-seal.ReportHeadSize
	if size < 0 || !seal.ReportSize(int(min(size, 1<<30))) {
		return nil, krama.E("relay", krama.Invalid, "report")
	}
	b, err := l.read(seal.ReportHeadSize)
	if err != nil {
		return nil, err
	}
	head, err := seal.ParseReportHead(b)
	if err != nil || int64(head.Size) != size {
		return nil, krama.E("relay", krama.Invalid, "report")
	}
	site, intake, proof := head.Site, head.Intake, head.Proof
	today, day := krama.DayOf(r.now()), head.Day
	if day < today-1 || day > today+1 {
		return nil, errRefused // the caller's clock is wrong: the answer carries the time
	}
	p, err := r.named(ctx, site)
	if err != nil {
		return nil, krama.E("relay", krama.NotFound, "site")
	}
	if of, err := r.store.Intake(ctx, intake); err != nil || of != p.ID {
		return nil, krama.E("relay", krama.NotFound, "intake")
	}
	ok, err := r.work.check(ctx, func() bool { return seal.Worked(site, day, proof) })
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errRefused
	}
	if !r.public.take([16]byte{}, size) {
		return nil, krama.E("relay", krama.TooMany, "")
	}
	defer r.public.give([16]byte{}, size)
	body, err := l.read(int(size))
	if err != nil {
		return nil, err
	}
	// A proof is spent with the report it came with, so that the same report can be sent again when an answer was lost.
	now := r.elapsed()
	sum := sha256.Sum256(proof[:])
	once := sha256.Sum256(append(sum[:], body...))
	if !r.Brief.Used([16]byte(once[:16])) {
		if r.Brief.Used([16]byte(sum[:16])) {
			return nil, errRefused
		}
		if !r.take(ofReports, p.ID, [16]byte{}, now, reportRate, reportBurst) {
			return nil, krama.E("relay", krama.TooMany, "")
		}
		fresh, room := r.Brief.Use([16]byte(sum[:16]), now)
		if !fresh {
			return nil, errRefused
		}
		if _, more := r.Brief.Use([16]byte(once[:16]), now); !room || !more {
			return nil, krama.E("relay", krama.TooMany, "")
		}
	}
	return nil, r.store.PutReport(ctx, intake, today, body, reportsKept, r.limit.Room(Inbox))
}

// answerPut puts an answer into a reporter's mailbox. It can be nothing else than an answer, and lies where only the
// key that stands before it is given it.
func (r *Relay) answerPut(q *request) ([]byte, error) {
	c, err := seal.ParseAnswer(q.Payload)
	if err != nil {
		return nil, err
	}
	return nil, r.store.PutItems(q.ctx, []Item{{q.box(Answers, c.Mailbox), [16]byte(c.Item), c.Item}},
		r.now().Add(r.limit.BoxKeep),
		Bound{OwnerItems: answersKept, Room: r.limit.Room(Answers)})
}

// reply gives a reporter what lies in her mailbox. Every answer has the same size and leaves at the same beat, whether
// there is such a mailbox or not: where an answer is missing there is noise, the same noise every time.
func (r *Relay) reply(q *request) ([]byte, error) {
	began := time.Now()
	defer func() { // the next beat after the work, and a random while, so that how long it took does not show
		var b [2]byte
		rand.Read(b[:])
		time.Sleep(replyTick - time.Since(began)%replyTick + time.Duration(binary.BigEndian.Uint16(
			b[:]))*replySpread>>16)
	}()
	c, err := seal.ParseReply(q.Payload)
	if err != nil {
		return nil, err
	}
	out := r.noise(q.Principal)
	items, err := r.store.Items(q.ctx, q.box(Answers, q.Principal), [16]byte(c.Pub), r.now(), 0,
		answersKept*seal.ReplyItem)
	if err != nil {
		return nil, err
	}
	n := seal.Replies
	for i := len(items) - 1; i >= 0 && n > 0; i-- {
		if b := items[i].Body; len(b) == seal.ReplyItem && [32]byte(b) == [32]byte(c.Pub) {
			n--
			copy(out[n*seal.ReplySize:], b[32:])
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

// intake reads a call about an intake, signed with the key of the stream that its id commits to. A successor of the
// stream has taken that key's place.
func (r *Relay) intake(q *request) (intake [16]byte, at int64, ids [][32]byte, err error) {
	c, err := seal.ParseIntakeCall(q.Payload)
	if err != nil {
		return intake, 0, nil, err
	}
	intake = seal.IntakeID(c.Sig, q.stream.ID)
	if c.Kem != nil {
		place := seal.IntakePlace(q.stream.ID)
		intake = seal.BoundIntakeID(c.Sig, place[:], c.Kem[:])
	}
	return intake, int64(c.Place), c.Sums, nil
}

// reports gives an intake's reports after one: first how many there are behind it and one, as a place; then the number
// of each that fits, its day and its bytes.
func (r *Relay) reports(q *request) ([]byte, error) {
	intake, after, _, err := r.intake(q)
	if err != nil {
		return nil, err
	}
	list, waiting, err := r.store.Reports(q.ctx, intake, after, q.room)
	if err != nil {
		return nil, err
	}
	out := []seal.Held{{K: uint64(waiting) + 1}}
	for _, e := range list {
		out = append(out, seal.Held{K: uint64(e.K), Body: append(u32(uint32(e.Day)), e.Body...)})
	}
	return seal.MarshalHeld(out, 0, false), nil
}

// reported forgets reports by the hashes of their bytes, and those up to a number: a relay that was restored counts
// anew, so what a desk has taken in is named and not counted.
func (r *Relay) reported(q *request) ([]byte, error) {
	intake, upTo, ids, err := r.intake(q)
	if err != nil {
		return nil, err
	}
	return nil, r.store.DropReports(q.ctx, intake, upTo, ids)
}

// AnswerSlip keeps what a service says of a slip: accepted, done, could not. Any code that is well made is taken, the
// relay does not know which ones exist: the phone that made one may be without a network for days.
func (r *Relay) AnswerSlip(ctx context.Context, code krama.SlipCode, what uint8) error {
	if !krama.Known(krama.Outcomes, what) {
		return krama.E("relay.AnswerSlip", krama.Invalid, "outcome")
	}
	if !r.take(ofSlips, [16]byte{}, [16]byte{}, r.elapsed(), slipRate, slipBurst) {
		return krama.E("relay.AnswerSlip", krama.TooMany, "")
	}
	return r.putSlip(ctx, seal.SlipBox(code), what)
}

// putSlip keeps what a service said of a slip. The box's id is made from the code: the relay knows neither.
func (r *Relay) putSlip(ctx context.Context, box [16]byte, what uint8) error {
	body := append([]byte{what}, u32(uint32(krama.DayOf(r.now())))...)
	return r.store.PutItems(ctx, []Item{{Box: Box{Keep: Slips, ID: box}, Body: body}}, r.now().Add(slipKeep),
		Bound{Items: slipAnswers, Room: r.limit.Room(Slips)})
}

// slip is AnswerSlip for a site that runs apart.
func (r *Relay) slip(q *request) ([]byte, error) {
	c, err := seal.ParseSlip(q.Payload)
	if err != nil {
		return nil, err
	}
	if !r.take(ofSlips, [16]byte{}, [16]byte{}, r.elapsed(), slipRate, slipBurst) {
		return nil, krama.E("relay", krama.TooMany, "")
	}
	return nil, r.putSlip(q.ctx, c.Box, c.What)
}

// slips gives the answers to slips, one frame a slip in the order asked.
func (r *Relay) slips(q *request) ([]byte, error) {
	c, err := seal.ParseSlips(q.Payload)
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for _, id := range c.Boxes {
		items, err := r.store.Items(q.ctx, q.box(Slips, id), [16]byte{}, r.now(), 0, small)
		if err != nil {
			return nil, err
		}
		var answers [][]byte
		for _, a := range items {
			answers = append(answers, a.Body)
		}
		out = append(out, seal.Frame(answers...))
	}
	return seal.Frame(out...), nil
}
