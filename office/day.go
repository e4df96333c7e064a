package office

import (
	"context"
	"errors"
)

// Day does the office's daily work, after a sync: what has expired ends, rotations that are due and what this desk
// announced, intakes, the door, reports, slips. What fails is tried again at the next; the errors of all parts are
// told.
func (o *Office) Day(ctx context.Context) error {
	return errors.Join(o.Expire(), o.Rep.Admin().Maintain(ctx), o.tendDoor(ctx))
}
