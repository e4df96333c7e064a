package web

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strconv"
	"time"

	"krama"
	"krama/casework"
	"krama/directory"
	"krama/replica"
	"krama/seal"
	"krama/web/http"
)

// intakes are the programme's intakes that are what they say: bound to a stream of the circle that they lie in. A colleague could write
// another, whose reports somebody outside the circle would fetch.
func (s *Server) intakes(rep *replica.Replica, st *casework.State) (out []casework.Intake) {
	for _, k := range intakeCircles {
		streams := rep.Streams(k)
		for _, in := range st.Intakes() {
			if in.Circle == k && streams[in.Stream] {
				out = append(out, in)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b casework.Intake) int { return cmp.Compare(a.From, b.From) })
	return out
}

// tendIntakes draws the next month's keys where they are due and destroys those whose time is over. Only where this desk's clock
// is near the relay's: a clock a year ahead would destroy keys that reports wait for. New keys are also drawn when the circle's were
// changed: somebody who left must not read what is reported next.
func (s *Server) tendIntakes(rep *replica.Replica, st *casework.State) (drew bool, err error) {
	if d := rep.ClockError(); d > clockTrust || d < -clockTrust {
		return false, nil
	}
	today := krama.DayOf(s.Now())
	until := map[krama.CircleKind]krama.Day{}
	for _, in := range s.intakes(rep, st) {
		until[in.Circle] = max(until[in.Circle], in.Until)
	}
	for _, in := range st.Intakes() {
		if in.Until+intakeKeep < today && st.Alone(in.Subject) { // a colleague may have written it under somebody
			if err := rep.Shred(in.Circle, in.Subject, replica.ShredExpired); err != nil && krama.KindOf(err) != krama.NotAllowed && krama.KindOf(err) != krama.NotFound {
				return drew, err
			}
		}
	}
	for _, k := range intakeCircles {
		c, holds := rep.Kinds()[k]
		if !holds {
			continue
		}
		var epoch string
		rep.Roster(func(ro *seal.Roster) {
			if e := ro.Latest(c); e != nil {
				epoch = strconv.FormatUint(uint64(e.Epoch), 10)
			}
		})
		key := "intake.epoch." + itoa(int(k))
		changed := rep.Value(key) != "" && rep.Value(key) != epoch
		if !changed && until[k] > today+intakeBefore {
			continue
		}
		in := &krama.Intake{From: max(today, until[k]+1), Until: max(today, until[k]) + intakeDays}
		if changed {
			in.From, in.Until = today, min(today+60, max(today+intakeDays, until[k]+1)) // the later end is offered of two that begin on one day
		}
		stream, ok := rep.Stream(k)
		if !ok {
			continue
		}
		in.Stream = stream
		if _, err := io.ReadFull(s.Rand, in.Seed[:]); err != nil {
			return drew, err
		}
		who, err := rep.NewSubject()
		if err != nil {
			return drew, err
		}
		id, err := rep.NewRecord()
		if err != nil {
			return drew, err
		}
		if err := rep.Write(k, who, &krama.Record{ID: id, Intake: in}); err == nil {
			drew = true
		} else if krama.KindOf(err) != krama.NotAllowed {
			return drew, err
		}
		if err := rep.SetValue(key, epoch); err != nil {
			return drew, err
		}
	}
	return drew, nil
}

// makeDoor is what would be published now. A desk that does not hold an intake's circle keeps what was published of it.
func (s *Server) makeDoor(rep *replica.Replica, st *casework.State) (*directory.Door, [][16]byte, error) {
	today := krama.DayOf(s.Now())
	d := directory.NewDoor(st.Listings(), today, rep.Site())
	d.Demo = s.Demo
	var ids [][16]byte
	newest := map[krama.CircleKind]bool{} // has one that was drawn since its circle's keys changed
	for _, in := range s.intakes(rep, st) {
		if now, ok := rep.Stream(in.Circle); ok && in.Stream == now {
			newest[in.Circle] = true
		}
	}
	for _, in := range s.intakes(rep, st) {
		keys, err := seal.OpenIntake(in.Seed, in.Stream)
		if err != nil {
			return nil, nil, err
		}
		// One that was drawn before the circle's keys changed is kept for its answers: who left may have its seed.
		if now, _ := rep.Stream(in.Circle); newest[in.Circle] && in.Stream != now {
			if in.From > today {
				continue
			}
			in.Until = min(in.Until, today-1)
			in.From = min(in.From, in.Until)
		}
		d.Intakes = append(d.Intakes, directory.Intake{Circle: in.Circle, ID: keys.ID(), Kem: keys.KEM.PublicKey().Bytes(), Sig: keys.Sig.Public().(ed25519.PublicKey), From: in.From, Until: in.Until})
		ids = append(ids, keys.ID())
	}
	for _, topic := range s.Rights {
		for _, lang := range []string{"km", "vi", "en"} {
			if own, _ := st.RightsTexts(topic.Topic, lang); len(own) > 0 && own[0].ReviewedOn != 0 {
				d.Rights = append(d.Rights, directory.Reviewed{Topic: topic.Topic, Lang: lang, Body: own[0].Body, Source: own[0].Source, By: own[0].ReviewedBy, On: own[0].ReviewedOn})
			}
		}
	}
	return d, ids, nil
}

// publish gives the relay the door if it changed, once a day in any case, because a relay that was restored has an old one, and now
// if that is set. Only an admin's desk can.
func (s *Server) publish(ctx context.Context, rep *replica.Replica, st *casework.State, now bool) error {
	if _, roles := rep.Device(); roles&krama.RoleAdmin == 0 {
		return nil
	}
	for _, k := range intakeCircles { // what this desk does not hold it would take away from the others
		if _, holds := rep.Kinds()[k]; !holds {
			if now {
				return krama.E("web.publish", krama.NotAllowed, "this desk does not hold both intakes' circles")
			}
			return nil
		}
	}
	d, ids, err := s.makeDoor(rep, st)
	if err != nil {
		return err
	}
	if len(d.Offered(d.Made)) < len(intakeCircles) {
		d.Intakes, ids = nil, nil // never only one to choose from
	}
	made := d.Made
	d.Made = 0 // when it was made is said apart
	same, err := d.Encode()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(same)
	mark := hex.EncodeToString(sum[:8]) + " " + made.String()
	if rep.Value(doorKey) == mark && !now {
		return nil
	}
	d.Made = made
	b, err := d.Encode()
	if err != nil {
		return err
	}
	if err := rep.Publish(ctx, b, ids); err != nil {
		return err
	}
	return rep.SetValue(doorKey, mark)
}

func (s *Server) doorPage(w http.ResponseWriter, r *http.Request) {
	d, _, err := s.makeDoor(s.rep, s.state)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.page(w, r, 200, "doorDesk.title", "directory", doorView(s, d, ""))
}

// doorOpen opens the door, or publishes at once.
func (s *Server) doorOpen(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	if err := s.OpenDoor(ctx); err != nil {
		d, _, e := s.makeDoor(s.rep, s.state)
		if e != nil {
			s.fail(w, r, e)
			return
		}
		s.page(w, r, 200, "doorDesk.title", "directory", doorView(s, d, jobError(err)))
		return
	}
	redirect(w, r, "/door")
}

// OpenDoor publishes what the programme shows to anybody. The first time it draws the intakes' keys. Only an admin's desk can.
func (s *Server) OpenDoor(ctx context.Context) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	if _, err := s.tendIntakes(s.rep, s.state); err != nil {
		return err
	}
	if err := s.rep.Sync(ctx, nil); err != nil { // colleagues must hold the intakes' keys before anybody is offered them
		return err
	}
	return s.publish(ctx, s.rep, s.state, true)
}

// Tend does the office's daily work now: what is due, reports, slips.
func (s *Server) Tend(ctx context.Context) error { return s.maintain(ctx, s.rep) }
