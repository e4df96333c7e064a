package relay

import (
	"context"
	"encoding/binary"

	"krama"
	"krama/seal"
)

// What a programme's control key does to its streams in certain places.

// tombstones replaces envelopes of the programme: stream, place and bytes of each.
func (r *Relay) tombstones(q *request) ([]byte, error) {
	it, err := seal.ParseFrame(q.Payload, 3*seal.MaxBatch)
	if err != nil || len(it)%3 != 0 {
		return nil, krama.E("relay", krama.Invalid, "tombstones")
	}
	var puts []Tombstone
	for ; len(it) > 0; it = it[3:] {
		if _, ok := seal.TombstoneID(it[2]); !ok || len(it[0]) != 16 || len(it[1]) != 8 {
			return nil, krama.E("relay", krama.Invalid, "tombstones")
		}
		id := seal.StreamID(it[0])
		if s, err := r.store.Stream(q.ctx, id); err != nil || s.Programme != q.programme.ID {
			return nil, errRefused
		}
		puts = append(puts, Tombstone{id, binary.BigEndian.Uint64(it[1]), it[2]})
	}
	return nil, r.store.PutTombstones(q.ctx, puts)
}

func (r *Relay) close(q *request) ([]byte, error) {
	return r.place(q, r.store.CloseStream)
}

func (r *Relay) rewind(q *request) ([]byte, error) {
	return r.place(q, r.store.Rewind)
}

// place does something to one of the programme's streams at a head.
func (r *Relay) place(q *request, do func(context.Context, seal.StreamID, seal.Head) error) ([]byte, error) {
	it, err := seal.ParseItems(q.Payload, 16, 40)
	if err != nil {
		return nil, err
	}
	id := seal.StreamID(it[0])
	s, err := r.store.Stream(q.ctx, id)
	if err != nil || s.Programme != q.programme.ID {
		return nil, errRefused
	}
	head, err := seal.ParseHead(it[1])
	if err != nil {
		return nil, err
	}
	return nil, do(q.ctx, id, head)
}
