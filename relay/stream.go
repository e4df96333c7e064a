package relay

import (
	"crypto/subtle"

	"krama"
	"krama/seal"
)

// mayFound checks the relay's token.
func (r *Relay) mayFound(token []byte) bool {
	return len(r.token) > 0 && subtle.ConstantTimeCompare(token, r.token) == 1
}

// found makes a programme, for whoever has the relay's token.
func (r *Relay) found(q *request) ([]byte, error) {
	c, err := seal.ParseFound(q.Payload)
	if err != nil {
		return nil, err
	}
	return nil, r.store.AddProgramme(q.ctx, Programme{q.Principal, c.Control, c.Site})
}

// members names the programme, if it has no name yet, and its devices. A device's id commits to its key.
func (r *Relay) members(q *request) ([]byte, error) {
	c, err := seal.ParseMembers(q.Payload, MaxMembers)
	if err != nil {
		return nil, err
	}
	var list []Member
	for _, m := range c.Devices {
		key, err := seal.SigKey(m.Pub)
		if err != nil {
			return nil, err
		}
		list = append(list, Member{known(seal.DeviceID(key, m.Nonce)), key})
	}
	return nil, r.rename(func() error { return r.store.AddMembers(q.ctx, q.programme.ID, c.Site, list) })
}

// rename changes a programme in the store, and forgets what is known of programmes.
func (r *Relay) rename(change func() error) error {
	return r.Brief.Alone(func() error {
		defer r.Brief.ForgetProgrammes()
		return change()
	})
}

// restream changes streams or their keys in the store, and forgets what is known of them.
func (r *Relay) restream(change func() error) error {
	return r.Brief.Alone(func() error {
		defer r.Brief.ForgetStreams()
		return change()
	})
}

// create makes a stream, the first of a line or the next one in it.
func (r *Relay) create(q *request) ([]byte, error) {
	c, err := seal.ParseCreate(q.Payload)
	if err != nil {
		return nil, err
	}
	key, err := seal.SigKey(c.Access)
	if err != nil {
		return nil, err
	}
	s := Stream{ID: c.ID, Programme: q.programme.ID, Access: key, Head: seal.Head{H: c.Start}, Roster: c.Roster}
	if c.Before == nil {
		return nil, r.store.CreateStream(q.ctx, s, nil)
	}
	return nil, r.restream(func() error { return r.store.CreateStream(q.ctx, s, c.Before) })
}

// line says which streams are circle 0's: what an earlier version made without saying it.
func (r *Relay) line(q *request) ([]byte, error) {
	c, err := seal.ParseLine(q.Payload)
	if err != nil {
		return nil, err
	}
	return nil, r.restream(func() error { return r.store.Line(q.ctx, q.programme.ID, c.Streams) })
}

// handOver gives the programme to another control key: a removed device knows the old one.
func (r *Relay) handOver(q *request) ([]byte, error) {
	c, err := seal.ParseControl(q.Payload)
	if err != nil {
		return nil, err
	}
	key, err := seal.SigKey(c.Next)
	if err != nil {
		return nil, err
	}
	return nil, r.rename(func() error { return r.store.SetControl(q.ctx, q.programme.ID, key) })
}

// append adds envelopes to the stream that the call was signed for.
func (r *Relay) append(q *request) ([]byte, error) {
	a, err := seal.ParseAppend(q.Payload)
	if err != nil {
		return nil, err
	}
	head, err := r.store.Append(q.ctx, q.stream.ID, a.IfHead, a.Envelopes, r.limit.Room(q.stream.Keep()))
	if err != nil {
		return nil, err
	}
	return head.Marshal(), nil
}

// restore gives back to one of the programme's streams what a relay lost that was restored from a backup. Only an
// admin's desk can: to streams that have a successor nobody else adds.
func (r *Relay) restore(q *request) ([]byte, error) {
	c, err := seal.ParseRestore(q.Payload)
	if err != nil {
		return nil, err
	}
	s, err := r.store.Stream(q.ctx, c.Stream)
	if err != nil || s.Programme != q.programme.ID {
		return nil, errRefused
	}
	head, err := r.store.Append(q.ctx, s.ID, c.Append.IfHead, c.Append.Envelopes, r.limit.Room(s.Keep()))
	return head.Marshal(), err
}

// list gives envelopes. A caller whose line broke asks for the rest of the first one.
func (r *Relay) list(q *request) ([]byte, error) {
	l, err := seal.ParseList(q.Payload)
	if err != nil {
		return nil, err
	}
	entries, err := r.store.List(q.ctx, q.stream.ID, l.After, min(int(l.Max), q.room))
	if err != nil {
		return nil, err
	}
	now, err := r.store.Stream(q.ctx, q.stream.ID)
	if err != nil {
		return nil, err
	}
	have := map[[32]byte]bool{}
	for _, id := range l.Have {
		have[id] = true
	}
	out := seal.Listing{Head: now.Head}
	for i, e := range entries {
		switch {
		case have[e.ID]:
			out.Entries = append(out.Entries, e.ID[:])
		case i == 0 && int64(l.Skip) < int64(len(e.Body)):
			out.Entries = append(out.Entries, e.Body[l.Skip:])
		default:
			out.Entries = append(out.Entries, e.Body)
		}
	}
	return out.Marshal(), nil
}

// part takes a piece of a payload, and tells how much of it is here.
func (r *Relay) part(q *request) ([]byte, error) {
	c, err := seal.ParsePart(q.Payload)
	if err == nil && len(c.Piece) > partMax {
		err = krama.E("relay", krama.Invalid, "part")
	}
	if err != nil {
		return nil, err
	}
	if int64(c.Total) > r.limit.Body || int64(c.Offset) > r.limit.Body {
		return nil, krama.E("relay", krama.TooLarge, "")
	}
	n, err := r.parts.put(partKey{q.programme.ID, q.Principal, c.Sum}, int(c.Total), int(c.Offset), c.Piece,
		r.elapsed())
	return u32(uint32(n)), err
}
