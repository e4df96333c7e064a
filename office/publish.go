package office

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"

	"krama"
	"krama/directory"
	"krama/replica"
)

// DoorState says that the door was opened, and what was last published.
var DoorState = replica.NewSetting("door", replica.OfNobody)

// tendDoor does the office's daily work at the public door: intakes, reports, slips, publishing. What fails is tried
// again at the next sync.
func (o *Office) tendDoor(ctx context.Context) error {
	var errs []error
	if o.Rep.Value(DoorState) != "" {
		errs = append(errs, o.lookAtSite(ctx)) // before anything new is published
		drew, err := o.tendIntakes()
		errs = append(errs, err)
		if !drew && err == nil { // keys drawn now are published after colleagues have them: at the next meeting
			errs = append(errs, o.publish(ctx, false))
		}
	}
	return errors.Join(append(errs, o.FetchReports(ctx), o.fetchSlips(ctx))...)
}

// Door is what would be published now. A desk that does not hold an intake's circle keeps what was published of it.
func (o *Office) Door() (*directory.Door, [][16]byte, error) {
	today := krama.DayOf(o.Now())
	d := directory.NewDoor(o.State.Listings(), today, o.Rep.Site())
	d.Demo = o.Demo
	var ids [][16]byte
	list, err := o.listedIntakes(today)
	if err != nil {
		return nil, nil, err
	}
	for _, in := range list {
		d.Intakes, ids = append(d.Intakes, in), append(ids, in.ID)
	}
	for _, topic := range o.Topics {
		for _, lang := range []string{"km", "vi", "en"} {
			if own, _ := o.State.RightsTexts(topic, lang); len(own) > 0 && own[0].ReviewedOn != 0 {
				d.Rights = append(d.Rights, directory.Reviewed{Topic: topic, Lang: lang, Body: own[0].Body,
					Source: own[0].Source, By: own[0].ReviewedBy, On: own[0].ReviewedOn})
			}
		}
	}
	return d, ids, nil
}

// publish gives the relay the door if it changed, once a day in any case, because a relay that was restored has an old
// one, and now if that is set. Only an admin's desk can.
func (o *Office) publish(ctx context.Context, now bool) error {
	if _, roles := o.Rep.Device(); roles&krama.RoleAdmin == 0 {
		return nil
	}
	for _, k := range IntakeCircles { // what this desk does not hold it would take away from the others
		if _, holds := o.Rep.Kinds()[k]; !holds {
			if now {
				return krama.E("office.publish", krama.NotAllowed, "this desk does not hold both intakes' circles")
			}
			return nil
		}
	}
	d, ids, err := o.Door()
	if err != nil {
		return err
	}
	if len(d.Offered(d.Made)) < len(IntakeCircles) {
		d.Intakes, ids = nil, nil // never only one to choose from
	}
	made := d.Made
	d.Made = 0 // when it was made is said apart
	same, err := d.Encode()
	if err != nil {
		return errors.Join(err, o.Rep.SetValue(DoorTrouble, TroubleOf(err)))
	}
	sum := sha256.Sum256(same)
	mark := hex.EncodeToString(sum[:8]) + " " + made.String()
	// The mark has the day in it, so a new day is published though nothing changed.
	if o.Rep.Value(DoorState) == mark && !now {
		return nil
	}
	d.Made = made
	b, err := d.Encode()
	// Here rather than at the site: whoever can mend it sits at this desk.
	if err == nil && o.CheckDoor != nil {
		err = o.CheckDoor(b)
	}
	if err == nil {
		err = o.Rep.Reports().Publish(ctx, b, ids)
	}
	// What trying again mends leaves what was told before as it is.
	if trouble := TroubleOf(err); err == nil || trouble != "" {
		err = errors.Join(err, o.Rep.SetValue(DoorTrouble, trouble))
	}
	if err != nil {
		return err
	}
	return o.Rep.SetValue(DoorState, mark)
}

// OpenDoor publishes what the programme shows to anybody. The first time it draws the intakes' keys. Only an admin's
// desk can.
func (o *Office) OpenDoor(ctx context.Context) error {
	if _, err := o.tendIntakes(); err != nil {
		return err
	}
	if err := o.Rep.Sync(ctx, nil); err != nil {
		// colleagues must hold the intakes' keys before anybody is offered them
		return err
	}
	return o.publish(ctx, true)
}

// DoorTrouble is why the public pages could not be published, or "". It holds no words: they
// are found when a page is shown, in its reader's language.
var DoorTrouble = replica.NewSetting("door.trouble", replica.OfNobody)

// TroubleOf is the value for what kept a door from being published, "" for what trying again mends.
func TroubleOf(err error) string {
	var part *directory.PartError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &part) && part.Need != 0:
		return "need " + strconv.Itoa(int(part.Need))
	case errors.As(err, &part) && part.Listing != (krama.ListingID{}):
		return "listing " + hex.EncodeToString(part.Listing[:])
	case errors.As(err, &part) && part.Topic != "":
		return "topic " + part.Topic
	case krama.KindOf(err) == krama.TooLarge:
		return "all"
	case krama.KindOf(err) == krama.Invalid, krama.KindOf(err) == krama.NotYet:
		return "refused"
	}
	return ""
}
