package rules

import (
	"context"
	"crypto/sha256"
	"time"

	"krama"
	"krama/relay"
)

// PutItems implements relay.Boxes.
func (w Writer) PutItems(ctx context.Context, items []relay.Item, expires time.Time, b relay.Bound) error {
	return w.Do(ctx, func(tx Tx) error {
		for _, it := range items {
			if err := putItem(tx, it, expires, b); err != nil {
				return err
			}
		}
		return nil
	})
}

// putItem puts one item. One that is there is renewed before any bound is looked at: who says it again to a full box
// hears that it is there.
func putItem(tx Tx, it relay.Item, expires time.Time, b relay.Bound) error {
	if there, err := tx.Renew(it, expires); there || err != nil {
		return err
	}
	if b.Items > 0 {
		n, _, err := tx.InBox(it.Box)
		if err != nil {
			return err
		}
		if n >= b.Items {
			return krama.E("store", krama.Full, "box")
		}
	}
	if b.OwnerItems > 0 || b.OwnerBytes > 0 {
		n, size, err := tx.Owned(it.Box.Programme, it.Box.Keep, it.Owner)
		if err != nil {
			return err
		}
		if b.OwnerItems > 0 && n >= b.OwnerItems || b.OwnerBytes > 0 && size+int64(len(it.Body)) > b.OwnerBytes {
			return krama.E("store", krama.Full, "owner")
		}
	}
	if err := charge(tx, it.Box.Programme, it.Box.Keep, int64(len(it.Body)), b.Room); err != nil {
		return err
	}
	return tx.AddItem(it, expires)
}

// SetItems implements relay.Boxes.
func (w Writer) SetItems(ctx context.Context, b relay.Box, bodies [][]byte, expires time.Time, share int64) error {
	return w.Do(ctx, func(tx Tx) error {
		_, size, err := tx.InBox(b)
		if err != nil {
			return err
		}
		if err := tx.Empty(b); err != nil {
			return err
		}
		// What was there gives its room back first: a full share is replaced by as much.
		if err := free(tx, []Freed{{b.Programme, b.Keep, size}}); err != nil {
			return err
		}
		for _, body := range bodies {
			if err := putItem(tx, relay.Item{Box: b, Body: body}, expires, relay.Bound{Room: share}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Sweep implements relay.Boxes.
func (w Writer) Sweep(ctx context.Context, now time.Time) error {
	return w.Do(ctx, func(tx Tx) error {
		list, err := tx.DropReports(Which{Before: krama.DayOf(now) - relay.ReportKeep})
		if err == nil {
			err = free(tx, list)
		}
		if err != nil {
			return err
		}
		if list, err = tx.DropItems(now); err != nil {
			return err
		}
		return free(tx, list)
	})
}

// PutBlob implements relay.Blobs.
func (w Writer) PutBlob(ctx context.Context, programme [16]byte, id [32]byte, body []byte, share int64) error {
	return w.Do(ctx, func(tx Tx) error {
		added, err := tx.AddBlob(programme, id, body)
		// One that is there stays charged to the programme that put it first, which alone is given it.
		if err != nil || !added {
			return err
		}
		return charge(tx, programme, relay.Pages, int64(len(body)), share)
	})
}

// DropBlobs implements relay.Blobs.
func (w Writer) DropBlobs(ctx context.Context, programme [16]byte, ids [][32]byte) error {
	return w.Do(ctx, func(tx Tx) error {
		for _, id := range ids {
			n, err := tx.DropBlob(programme, id)
			if err == nil && n > 0 {
				err = free(tx, []Freed{{programme, relay.Pages, n}})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// SetDoor implements relay.Doors.
func (w Writer) SetDoor(ctx context.Context, programme [16]byte, door []byte, intakes [][16]byte) error {
	return w.Do(ctx, func(tx Tx) error {
		// An intake is found by its id alone: were it of two programmes, the reports for one would reach the other.
		for _, id := range intakes {
			p, err := tx.Intake(id)
			missing, err := absent(err)
			if err != nil {
				return err
			}
			if !missing && p != programme {
				return krama.E("store", krama.Conflict, "intake")
			}
		}
		before, err := tx.SetDoor(programme, door)
		if err != nil {
			return err
		}
		// Bounded by its call: a share that is full must not keep an office from changing what it publishes.
		if err := charge(tx, programme, relay.Published, int64(len(door))-before, unbounded); err != nil {
			return err
		}
		return tx.SetIntakes(programme, intakes)
	})
}

// PutReport implements relay.Reports.
func (w Writer) PutReport(ctx context.Context, intake [16]byte, day krama.Day, body []byte, limit int,
	share int64) error {
	sum := sha256.Sum256(body)
	return w.Do(ctx, func(tx Tx) error {
		programme, err := tx.Intake(intake)
		if err != nil {
			return err
		}
		// Counted without the one that may be there: sent again it is no more than before, and an intake that is full
		// takes it.
		n, err := tx.Reports(intake, sum)
		if err != nil {
			return err
		}
		// Added before it is judged: what is there already is never Full, and of a refused write nothing stays.
		added, err := tx.AddReport(programme, intake, day, sum, body)
		switch {
		case err != nil || !added:
			return err
		case n >= limit:
			return krama.E("store", krama.Full, "intake")
		}
		return charge(tx, programme, relay.Inbox, int64(len(body)), share)
	})
}

// DropReports implements relay.Reports.
func (w Writer) DropReports(ctx context.Context, intake [16]byte, upTo int64, sums [][32]byte) error {
	return w.Do(ctx, func(tx Tx) error {
		which := []Which{{Intake: &intake, UpTo: upTo}}
		for _, sum := range sums {
			which = append(which, Which{Intake: &intake, Sum: &sum})
		}
		for _, which := range which {
			list, err := tx.DropReports(which)
			if err == nil {
				err = free(tx, list)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
