package relay

import (
	"context"
	"encoding/binary"
	"net/http"

	"krama"
	"krama/seal"
)

// What a programme's control key does to its streams in certain places.

// tombstones replaces envelopes of the programme: stream, place and bytes of each.
func (r *Relay) tombstones(req *http.Request, call *seal.Call) ([]byte, error) {
	if err := r.control(req, call); err != nil {
		return nil, err
	}
	it, err := seal.ParseFrame(call.Payload, 3*seal.MaxBatch)
	if err != nil || len(it)%3 != 0 {
		return nil, krama.E("relay", krama.Invalid, "tombstones")
	}
	var puts []Tombstone
	for ; len(it) > 0; it = it[3:] {
		if _, ok := seal.TombstoneID(it[2]); !ok || len(it[0]) != 16 || len(it[1]) != 8 {
			return nil, krama.E("relay", krama.Invalid, "tombstones")
		}
		id := seal.StreamID(it[0])
		if s, err := r.store.Stream(req.Context(), id); err != nil || s.Programme != call.Principal {
			return nil, errRefused
		}
		puts = append(puts, Tombstone{id, binary.BigEndian.Uint64(it[1]), it[2]})
	}
	return nil, r.store.PutTombstones(req.Context(), puts)
}

func (r *Relay) close(req *http.Request, call *seal.Call) ([]byte, error) {
	return r.place(req, call, r.store.CloseStream)
}

func (r *Relay) rewind(req *http.Request, call *seal.Call) ([]byte, error) {
	return r.place(req, call, r.store.Rewind)
}

// place does something to one of the programme's streams at a head.
func (r *Relay) place(req *http.Request, call *seal.Call, do func(context.Context, seal.StreamID, seal.Head) error) ([]byte, error) {
	if err := r.control(req, call); err != nil {
		return nil, err
	}
	it, err := seal.ParseItems(call.Payload, 16, 40)
	if err != nil {
		return nil, err
	}
	id := seal.StreamID(it[0])
	s, err := r.store.Stream(req.Context(), id)
	if err != nil || s.Programme != call.Principal {
		return nil, errRefused
	}
	head, err := seal.ParseHead(it[1])
	if err != nil {
		return nil, err
	}
	return nil, do(req.Context(), id, head)
}
