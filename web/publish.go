package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"krama"
	"krama/casework"
	"krama/directory"
	"krama/replica"
	"krama/web/http"
)

// makeDoor is what would be published now. A desk that does not hold an intake's circle keeps what was published of it.
func (s *Server) makeDoor(rep *replica.Replica, st *casework.State) (*directory.Door, [][16]byte, error) {
	today := krama.DayOf(s.Now())
	d := directory.NewDoor(st.Listings(), today, rep.Site())
	d.Demo = s.Demo
	var ids [][16]byte
	list, err := s.listedIntakes(rep, st, today)
	if err != nil {
		return nil, nil, err
	}
	for _, in := range list {
		d.Intakes, ids = append(d.Intakes, in), append(ids, in.ID)
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
		return errors.Join(err, rep.SetValue(doorTroubleKey, troubleOf(err)))
	}
	sum := sha256.Sum256(same)
	mark := hex.EncodeToString(sum[:8]) + " " + made.String()
	if rep.Value(doorKey) == mark && !now {
		return nil
	}
	d.Made = made
	b, err := d.Encode()
	if err == nil && s.CheckDoor != nil {
		err = s.CheckDoor(b)
	}
	if err == nil {
		err = rep.Publish(ctx, b, ids)
	}
	if trouble := troubleOf(err); err == nil || trouble != "" {
		err = errors.Join(err, rep.SetValue(doorTroubleKey, trouble))
	}
	if err != nil {
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
	s.page(w, r, 200, "doorDesk.title", "directory", doorView(s, d, "", s.rep.Value(siteKey)))
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
		trouble := jobError(err)
		if troubleOf(err) != "" { // it stands above the page
			trouble = ""
		}
		s.page(w, r, 200, "doorDesk.title", "directory", doorView(s, d, trouble, s.rep.Value(siteKey)))
		return
	}
	redirect(w, r, "/door")
}

// OpenDoor publishes what the programme shows to anybody. The first time it draws the intakes' keys. Only an admin's desk can.
func (s *Server) OpenDoor(ctx context.Context) error {
	s = s.session()
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
func (s *Server) Tend(ctx context.Context) error {
	s = s.session()
	if s.rep == nil {
		return krama.E("web.Tend", krama.NotAllowed, "locked")
	}
	return s.maintain(ctx, s.rep)
}
