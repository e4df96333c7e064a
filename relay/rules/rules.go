// Package rules is what every store of a relay does alike: the order and chain of a stream, its closing, tombstones,
// shares and bounds. A store gives rows and transactions (Tx); what may be done with them is decided here, once.
package rules

import (
	"context"
	"crypto/ed25519"
	"time"

	"krama"
	"krama/relay"
	"krama/seal"
)

// Tx is one write of a store. All of it is on stable storage when the store says that it is done, or none of it is
// there: of a write that ends with an error nothing stays. It runs alone: nobody else writes meanwhile, and what it has
// written it reads. It judges nothing: rules are above it. Bytes that are given stay the caller's.
//
// A key (k) is a store's own short name of a row.
type Tx interface {
	// Programme returns NotFound for an unknown id, and Named for a name that nobody has.
	Programme(id [16]byte) (relay.Programme, error)
	Named(site [16]byte) (relay.Programme, error)
	// SetProgramme adds a programme or replaces it.
	SetProgramme(p relay.Programme) error
	// AddMember adds a device; one that is there stays as it is.
	AddMember(programme [16]byte, m relay.Member) error
	Members(programme [16]byte) (n int, err error)
	// Charge adds to what a programme keeps of a sort, and returns what it is then. A total below zero becomes zero.
	Charge(programme [16]byte, k relay.Keep, bytes int64) (used int64, err error)

	// Stream returns NotFound for an unknown id.
	Stream(id seal.StreamID) (Row, error)
	// AddStream adds an empty stream to a line, which is its own id where it begins one.
	AddStream(s relay.Stream, line seal.StreamID) error
	// SetAccess gives all streams of a programme's line a key.
	SetAccess(programme [16]byte, line seal.StreamID, key ed25519.PublicKey) error
	// SetRoster makes a stream one of circle 0's, and of a line.
	SetRoster(k int64, line seal.StreamID) error
	SetHead(k int64, head seal.Head) error
	SetClosed(k int64) error
	// Start is the chain's value before a stream's first entry; not known of streams of the first version.
	Start(k int64) (h [32]byte, known bool, err error)

	// Has reports whether an envelope of that id is in a stream.
	Has(k int64, id [32]byte) (bool, error)
	// Entry returns the entry at a place; NotFound where there is none.
	Entry(k int64, n uint64) (relay.Entry, error)
	// AddEntry adds an entry, whose place must be the next one: the caller sees to that. If its id is in the stream,
	// added is false.
	AddEntry(k int64, e relay.Entry) (added bool, err error)
	SetBody(k int64, n uint64, body []byte) error
	// IDs calls each with the ids of the entries up to and with a place, in order, until it returns false.
	IDs(k int64, upTo uint64, each func([32]byte) bool) error
	// Size is how many bytes of bodies stand past a place; CutAfter forgets them.
	Size(k int64, after uint64) (int64, error)
	CutAfter(k int64, n uint64) error

	// Renew gives an item that is there another time, and an owner if it has none; it reports whether it is there.
	Renew(it relay.Item, expires time.Time) (there bool, err error)
	AddItem(it relay.Item, expires time.Time) error
	// InBox and Owned count items and bytes: of a box, and of an owner in all boxes of a programme and sort.
	InBox(b relay.Box) (items int, bytes int64, err error)
	Owned(programme [16]byte, k relay.Keep, owner [16]byte) (items int, bytes int64, err error)
	Empty(b relay.Box) error
	// DropItems forgets what has expired at a time, and tells whose room is free.
	DropItems(now time.Time) ([]Freed, error)

	// AddBlob adds a blob, unless one with its id is there.
	AddBlob(programme [16]byte, id [32]byte, body []byte) (added bool, err error)
	// DropBlob forgets a programme's blob and returns its size; 0 where it is not there.
	DropBlob(programme [16]byte, id [32]byte) (size int64, err error)

	// SetDoor replaces what a programme publishes, and returns the size of what was there.
	SetDoor(programme [16]byte, body []byte) (before int64, err error)
	// Intake returns NotFound for an intake that nobody has.
	Intake(id [16]byte) (programme [16]byte, err error)
	SetIntakes(programme [16]byte, ids [][16]byte) error

	// Reports counts an intake's reports, without the one whose bytes have a SHA-256 sum.
	Reports(intake [16]byte, but [32]byte) (n int, err error)
	// AddReport keeps a report under the sum of its bytes. The same bytes in any intake are one report: then added is
	// false.
	AddReport(programme, intake [16]byte, day krama.Day, sum [32]byte, body []byte) (added bool, err error)
	// DropReports forgets reports and tells whose room is free.
	DropReports(Which) ([]Freed, error)
}

// Row is a stream as a store has it.
// K is its short name in the store, and Line the first stream of its line, itself where it begins one.
type Row struct {
	relay.Stream
	K    int64
	Line seal.StreamID
}

// Freed is room that a programme has again.
type Freed struct {
	Programme [16]byte
	Keep      relay.Keep
	Bytes     int64
}

// Which says which reports are meant: without Intake all from before a day; with Sum the one of the intake whose bytes
// have it; else those of the intake up to and with place UpTo.
type Which struct {
	Intake *[16]byte
	UpTo   int64
	Sum    *[32]byte
	Before krama.Day
}

// Writer is the writing half of a relay.Store over transactions. Do runs f in one, and returns its error, the commit's,
// or the context's if that ends before the store has taken the write; from then on it runs and is waited for.
type Writer struct {
	Do func(ctx context.Context, f func(Tx) error) error
}

// charge adds bytes to a programme's share of a sort. Where it grows beyond the limit it is Full.
func charge(tx Tx, programme [16]byte, k relay.Keep, bytes, limit int64) error {
	// Charged first and looked at then: of a write that is refused nothing stays, the charge neither.
	used, err := tx.Charge(programme, k, bytes)
	if err == nil && bytes > 0 && used > limit {
		return krama.E("store", krama.Full, "quota")
	}
	return err
}

// free gives room back.
func free(tx Tx, list []Freed) error {
	for _, f := range list {
		if _, err := tx.Charge(f.Programme, f.Keep, -f.Bytes); err != nil {
			return err
		}
	}
	return nil
}

// unbounded is the room of what cannot be refused.
// Those are a stream that moves to another share, a tombstone, and a door, which its call bounds.
const unbounded = 1 << 62

// absent tells an answer from an error: it reports whether err says that there is no such thing.
func absent(err error) (bool, error) {
	if err != nil && krama.KindOf(err) == krama.NotFound {
		return true, nil
	}
	return false, err
}

// AddProgramme implements relay.Programmes.
func (w Writer) AddProgramme(ctx context.Context, p relay.Programme) error {
	return w.Do(ctx, func(tx Tx) error {
		if err := nameFree(tx, p.Site, p.ID); err != nil {
			return err
		}
		old, err := tx.Programme(p.ID)
		missing, err := absent(err)
		switch {
		case err != nil:
			return err
		case missing:
			return tx.SetProgramme(p)
		case !old.Control.Equal(p.Control) || old.Site != p.Site:
			return krama.E("store", krama.Conflict, "programme")
		}
		return nil
	})
}

// nameFree refuses a short name that another programme has.
func nameFree(tx Tx, site, id [16]byte) error {
	if site == ([16]byte{}) {
		return nil
	}
	other, err := tx.Named(site)
	if missing, err := absent(err); missing || err != nil {
		return err
	}
	if other.ID != id {
		return krama.E("store", krama.Conflict, "name")
	}
	return nil
}

// SetControl implements relay.Programmes.
func (w Writer) SetControl(ctx context.Context, id [16]byte, control ed25519.PublicKey) error {
	return w.Do(ctx, func(tx Tx) error {
		p, err := tx.Programme(id)
		if err != nil {
			return err
		}
		p.Control = control
		return tx.SetProgramme(p)
	})
}

// AddMembers implements relay.Programmes.
func (w Writer) AddMembers(ctx context.Context, id, site [16]byte, list []relay.Member) error {
	return w.Do(ctx, func(tx Tx) error {
		p, err := tx.Programme(id)
		if err != nil {
			return err
		}
		if err := nameFree(tx, site, id); err != nil {
			return err
		}
		if p.Site != ([16]byte{}) && p.Site != site {
			return krama.E("store", krama.Conflict, "name")
		}
		p.Site = site
		if err := tx.SetProgramme(p); err != nil {
			return err
		}
		for _, m := range list {
			if err := tx.AddMember(id, m); err != nil {
				return err
			}
		}
		// Counted when all are in: who was there already counts once.
		n, err := tx.Members(id)
		if err == nil && n > relay.MaxMembers {
			err = krama.E("store", krama.Full, "members")
		}
		return err
	})
}
