package rules

import (
	"bytes"
	"context"

	"krama"
	"krama/relay"
	"krama/seal"
)

// CreateStream implements relay.Streams.
func (w Writer) CreateStream(ctx context.Context, s relay.Stream, before *seal.StreamID) error {
	return w.Do(ctx, func(tx Tx) error {
		// A stream that follows no other begins a line of its own.
		line := s.ID
		if before != nil {
			b, err := tx.Stream(*before)
			if err != nil {
				return err
			}
			if b.Programme != s.Programme {
				return krama.E("store", krama.NotFound, "stream")
			}
			line = b.Line
		}
		// One that is there with the same head, key and programme was made by a call whose answer was lost.
		old, err := tx.Stream(s.ID)
		missing, err := absent(err)
		switch {
		case err != nil:
			return err
		case !missing && (old.Head != s.Head || !old.Access.Equal(s.Access) || old.Programme != s.Programme):
			return krama.E("store", krama.Conflict, "stream")
		case !missing:
			return nil
		}
		// A successor's key opens its whole line. Circle 0's streams keep each its own: a device that was away reads
		// them one after another.
		if err := tx.AddStream(s, line); err != nil || before == nil || s.Roster {
			return err
		}
		return tx.SetAccess(s.Programme, line, s.Access)
	})
}

// Line implements relay.Streams.
func (w Writer) Line(ctx context.Context, programme [16]byte, ids []seal.StreamID) error {
	return w.Do(ctx, func(tx Tx) error {
		for _, id := range ids {
			s, err := tx.Stream(id)
			if err != nil {
				return err
			}
			if s.Programme != programme {
				return krama.E("store", krama.NotFound, "stream")
			}
			// One that is circle 0's already is moved as well: an earlier call may have begun the line elsewhere.
			if err := tx.SetRoster(s.K, ids[0]); err != nil {
				return err
			}
			if s.Roster {
				continue
			}
			// What it holds was charged as a circle's. It moves, whether the other share has room or not.
			size, err := tx.Size(s.K, 0)
			if err != nil {
				return err
			}
			if err := free(tx, []Freed{{programme, relay.Content, size}}); err != nil {
				return err
			}
			if err := charge(tx, programme, relay.Roster, size, unbounded); err != nil {
				return err
			}
		}
		return nil
	})
}

// Append implements relay.Streams.
func (w Writer) Append(ctx context.Context, id seal.StreamID, ifHead *uint64, envelopes [][]byte,
	share int64) (head seal.Head, err error) {
	// Hashed before the transaction, which other writes wait for.
	ids := make([][32]byte, len(envelopes))
	for i, e := range envelopes {
		ids[i] = seal.EnvelopeID(e)
	}
	err = w.Do(ctx, func(tx Tx) error {
		s, err := tx.Stream(id)
		if err != nil {
			return err
		}
		head = s.Head
		size := int64(0)
		open := !s.Closed && (ifHead == nil || *ifHead == s.Head.N)
		for i, e := range envelopes {
			if !open { // what is there already is no conflict: the caller did not hear the answer
				there, err := tx.Has(s.K, ids[i])
				if err == nil && !there {
					err = krama.E("store", krama.Conflict, "head")
				}
				if err != nil {
					return err
				}
				continue
			}
			next := head.Link(ids[i])
			added, err := tx.AddEntry(s.K, relay.Entry{N: next.N, ID: ids[i], Body: e})
			if err != nil {
				return err
			}
			if added {
				head, size = next, size+int64(len(e))
			}
		}
		if size == 0 {
			return nil
		}
		if err := charge(tx, s.Programme, s.Keep(), size, share); err != nil {
			return err
		}
		return tx.SetHead(s.K, head)
	})
	return head, err
}

// Rewind implements relay.Streams. A stream whose start is not known is not rewound.
func (w Writer) Rewind(ctx context.Context, id seal.StreamID, head seal.Head) error {
	return w.Do(ctx, func(tx Tx) error {
		s, err := tx.Stream(id)
		if err != nil {
			return err
		}
		start, known, err := tx.Start(s.K)
		if err != nil {
			return err
		}
		// A head is believed when the ids that stand here lead to it: no caller can have the stream end elsewhere.
		h := seal.Head{H: start}
		if err := tx.IDs(s.K, head.N, func(id [32]byte) bool { h = h.Link(id); return true }); err != nil {
			return err
		}
		if !known || s.Closed || h != head {
			return krama.E("store", krama.Conflict, "head")
		}
		size, err := tx.Size(s.K, head.N)
		if err != nil {
			return err
		}
		if err := tx.CutAfter(s.K, head.N); err != nil {
			return err
		}
		if err := free(tx, []Freed{{s.Programme, s.Keep(), size}}); err != nil {
			return err
		}
		return tx.SetHead(s.K, head)
	})
}

// PutTombstones implements relay.Streams.
func (w Writer) PutTombstones(ctx context.Context, puts []relay.Tombstone) error {
	return w.Do(ctx, func(tx Tx) error {
		for _, p := range puts {
			if err := putTombstone(tx, p); err != nil {
				return err
			}
		}
		return nil
	})
}

// putTombstone puts one in the place of its envelope, or as the next where a restored relay lost the envelope.
func putTombstone(tx Tx, p relay.Tombstone) error {
	s, err := tx.Stream(p.Stream)
	if err != nil {
		return err
	}
	id := seal.WireID(p.Body)
	there, err := tx.Entry(s.K, p.N)
	missing, err := absent(err)
	if err != nil {
		return err
	}
	switch {
	case !missing && bytes.Equal(there.Body, p.Body):
		return nil // the caller did not hear the answer
	case !missing && s.Closed && there.ID == id: // in the place of its envelope
		if err := tx.SetBody(s.K, p.N, p.Body); err != nil {
			return err
		}
	case missing && !s.Closed && s.Succeeded && p.N == s.Head.N+1: // a restored relay gets it as the next
		added, err := tx.AddEntry(s.K, relay.Entry{N: p.N, ID: id, Body: p.Body})
		if err == nil && !added {
			err = krama.E("store", krama.Conflict, "tombstone")
		}
		if err == nil {
			err = tx.SetHead(s.K, s.Head.Link(id))
		}
		if err != nil {
			return err
		}
	default:
		return krama.E("store", krama.Conflict, "tombstone")
	}
	// In the place of a larger envelope this gives room back; where it is the next, there was nothing there.
	return charge(tx, s.Programme, s.Keep(), int64(len(p.Body)-len(there.Body)), unbounded)
}

// CloseStream implements relay.Streams.
func (w Writer) CloseStream(ctx context.Context, id seal.StreamID, head seal.Head) error {
	return w.Do(ctx, func(tx Tx) error {
		s, err := tx.Stream(id)
		if err != nil {
			return err
		}
		// A closed stream takes nothing more, so it stands where it was closed, and closing it there again changes
		// nothing.
		if s.Head != head {
			return krama.E("store", krama.Conflict, "head")
		}
		return tx.SetClosed(s.K)
	})
}
