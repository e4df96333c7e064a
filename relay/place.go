package relay

import (
	"context"

	"krama/seal"
)

// What a programme's control key does to its streams in certain places.

// tombstones replaces envelopes of the programme: stream, place and bytes of each.
func (r *Relay) tombstones(q *request) ([]byte, error) {
	c, err := seal.ParseTombstones(q.Payload)
	if err != nil {
		return nil, err
	}
	var puts []Tombstone
	for _, p := range c.Puts {
		if s, err := r.store.Stream(q.ctx, p.Stream); err != nil || s.Programme != q.programme.ID {
			return nil, errRefused
		}
		puts = append(puts, Tombstone{p.Stream, p.N, p.Wire})
	}
	return nil, r.store.PutTombstones(q.ctx, puts)
}

// close ends a stream where it stands.
func (r *Relay) close(q *request) ([]byte, error) {
	return r.place(q, r.store.CloseStream)
}

// rewind takes a stream back to a head.
func (r *Relay) rewind(q *request) ([]byte, error) {
	return r.place(q, r.store.Rewind)
}

// place does something to one of the programme's streams at a head.
func (r *Relay) place(q *request, do func(context.Context, seal.StreamID, seal.Head) error) ([]byte, error) {
	c, err := seal.ParsePlace(q.Payload)
	if err != nil {
		return nil, err
	}
	s, err := r.store.Stream(q.ctx, c.Stream)
	if err != nil || s.Programme != q.programme.ID {
		return nil, errRefused
	}
	return nil, do(q.ctx, c.Stream, c.Head)
}
