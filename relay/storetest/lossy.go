package storetest

import (
	"context"
	"crypto/ed25519"
	"errors"
	"time"

	"krama"
	"krama/relay"
	"krama/seal"
)

// lossy is a store over a line that breaks: of each write the first try is lost before it is done, the second is done
// and its answer lost, and the caller, who can tell neither, tries once more.
// Reads go to the store as they are: they change nothing.
type lossy struct{ relay.Store }

// errBroken is the line's and of no kind, so it is never taken for an answer of the store.
var errBroken = errors.New("the line broke")

// retry tries three times over the line that breaks.
func retry(f func() error) error {
	for try := range 3 {
		var err error
		switch try {
		case 0:
			// Lost on the way there: the store never hears of it.
			err = errBroken
		case 1:
			// Done, and what came of it lost on the way back, an error too.
			f()
			err = errBroken
		default:
			err = f()
		}
		if !errors.Is(err, errBroken) {
			return err
		}
	}
	return errBroken
}

func (s lossy) AddProgramme(ctx context.Context, p relay.Programme) error {
	return retry(func() error { return s.Store.AddProgramme(ctx, p) })
}

func (s lossy) SetControl(ctx context.Context, id [16]byte, control ed25519.PublicKey) error {
	return retry(func() error { return s.Store.SetControl(ctx, id, control) })
}

func (s lossy) AddMembers(ctx context.Context, id, site [16]byte, list []relay.Member) error {
	return retry(func() error { return s.Store.AddMembers(ctx, id, site, list) })
}

func (s lossy) CreateStream(ctx context.Context, st relay.Stream, before *seal.StreamID) error {
	return retry(func() error { return s.Store.CreateStream(ctx, st, before) })
}

func (s lossy) Line(ctx context.Context, programme [16]byte, ids []seal.StreamID) error {
	return retry(func() error { return s.Store.Line(ctx, programme, ids) })
}

func (s lossy) Append(ctx context.Context, id seal.StreamID, ifHead *uint64, envelopes [][]byte,
	room int64) (head seal.Head, err error) {
	// The second try has appended: the third must return the same head for the same bytes.
	err = retry(func() (err error) {
		head, err = s.Store.Append(ctx, id, ifHead, envelopes, room)
		return err
	})
	return head, err
}

func (s lossy) Rewind(ctx context.Context, id seal.StreamID, head seal.Head) error {
	return retry(func() error { return s.Store.Rewind(ctx, id, head) })
}

func (s lossy) PutTombstones(ctx context.Context, puts []relay.Tombstone) error {
	return retry(func() error { return s.Store.PutTombstones(ctx, puts) })
}

func (s lossy) CloseStream(ctx context.Context, id seal.StreamID, head seal.Head) error {
	return retry(func() error { return s.Store.CloseStream(ctx, id, head) })
}

func (s lossy) PutItems(ctx context.Context, items []relay.Item, expires time.Time, b relay.Bound) error {
	return retry(func() error { return s.Store.PutItems(ctx, items, expires, b) })
}

func (s lossy) SetItems(ctx context.Context, box relay.Box, bodies [][]byte, expires time.Time, room int64) error {
	return retry(func() error { return s.Store.SetItems(ctx, box, bodies, expires, room) })
}

func (s lossy) Sweep(ctx context.Context, now time.Time) error {
	return retry(func() error { return s.Store.Sweep(ctx, now) })
}

func (s lossy) PutBlob(ctx context.Context, programme [16]byte, id [32]byte, body []byte, room int64) error {
	return retry(func() error { return s.Store.PutBlob(ctx, programme, id, body, room) })
}

func (s lossy) DropBlobs(ctx context.Context, programme [16]byte, ids [][32]byte) error {
	return retry(func() error { return s.Store.DropBlobs(ctx, programme, ids) })
}

func (s lossy) SetDoor(ctx context.Context, programme [16]byte, door []byte, intakes [][16]byte) error {
	return retry(func() error { return s.Store.SetDoor(ctx, programme, door, intakes) })
}

func (s lossy) PutReport(ctx context.Context, intake [16]byte, day krama.Day, body []byte, limit int,
	room int64) error {
	return retry(func() error { return s.Store.PutReport(ctx, intake, day, body, limit, room) })
}

func (s lossy) DropReports(ctx context.Context, intake [16]byte, upTo int64, sums [][32]byte) error {
	return retry(func() error { return s.Store.DropReports(ctx, intake, upTo, sums) })
}
