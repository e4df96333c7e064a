package office

import (
	"context"
	"slices"
	"time"

	"krama"
	"krama/casework"
	"krama/seal"
)

// Answer seals an answer to the reporter's key and puts it into her mailbox. It is signed by the intake she wrote to
// while the door lists it, and else by the one that her circle has open: her browser takes only what a listed key has
// signed.
func (o *Office) Answer(ctx context.Context, t *casework.Thread, text string) error {
	d, _, err := o.Door()
	if err != nil {
		return err
	}
	listed := map[[16]byte]bool{}
	open := t.Intake
	for _, in := range d.Intakes {
		listed[in.ID] = true
	}
	// The intake that she wrote to is on no door any more. Her circle's present one signs, if there is one.
	if !listed[open] {
		for _, in := range d.Offered(d.Made) {
			if in.Circle == t.Circle {
				open = in.ID
			}
		}
	}
	for _, in := range o.Intakes() {
		keys, err := o.Keys(in)
		if err != nil {
			return err
		}
		if keys.ID() != open || !listed[open] {
			continue
		}
		// A colleague may write a report of this conversation with keys of his own: hers are those that its id was made
		// of.
		i := slices.IndexFunc(t.Senders, func(from casework.Sender) bool { return threadOf(t.Circle, from) == t.ID })
		if i < 0 {
			return krama.E("office.Answer", krama.NotFound, "her keys are not here")
		}
		her := t.Senders[i]
		item, err := seal.SealReply(her.KEM, her.Auth, o.Rep.Site(), her.Mailbox, keys.Sig, o.today(), text)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		return o.Rep.Reports().Reply(ctx, her.Mailbox, item)
	}
	// No answer can reach her: the seed is destroyed, or the door lists nothing that this desk has keys of.
	return krama.E("office.Answer", krama.CannotDecrypt, "the intake's keys are gone")
}

// Waits is 0 for a conversation in which somebody waits for staff.
// Lists are sorted by it, so that who waits stands first.
func Waits(state uint8) int {
	if state == casework.ThreadNew || state == casework.ThreadOpen {
		return 0
	}
	return 1
}
