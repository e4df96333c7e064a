package relay

import (
	"crypto/ed25519"
	"crypto/subtle"

	"krama"
	"krama/seal"
)

// mayFound checks the relay's token in the payload of a founding.
func (r *Relay) mayFound(payload []byte) bool {
	it, err := seal.ParseItems(payload, -1, ed25519.PublicKeySize, 16)
	return err == nil && len(r.token) > 0 && subtle.ConstantTimeCompare(it[0], r.token) == 1
}

func (r *Relay) found(q *request) ([]byte, error) {
	it, err := seal.ParseItems(q.Payload, -1, ed25519.PublicKeySize, 16)
	if err != nil || [16]byte(it[2]) == ([16]byte{}) {
		return nil, krama.E("relay", krama.Invalid, "found")
	}
	return nil, r.store.AddProgramme(q.ctx, Programme{q.Principal, it[1], [16]byte(it[2])})
}

// members names the programme, if it has no name yet, and its devices. A device's id commits to its key.
func (r *Relay) members(q *request) ([]byte, error) {
	it, err := seal.ParseFrame(q.Payload, 1+MaxMembers)
	if err != nil || len(it) < 1 || len(it[0]) != 16 || [16]byte(it[0]) == ([16]byte{}) {
		return nil, krama.E("relay", krama.Invalid, "members")
	}
	var list []Member
	for _, b := range it[1:] {
		if len(b) != 48 {
			return nil, krama.E("relay", krama.Invalid, "members")
		}
		key, err := seal.SigKey(b[:32])
		if err != nil {
			return nil, err
		}
		list = append(list, Member{known(seal.DeviceID(key, [16]byte(b[32:]))), key})
	}
	if err := r.store.AddMembers(q.ctx, q.programme.ID, [16]byte(it[0]), list); err != nil {
		return nil, err
	}
	r.renamed()
	return nil, nil
}

// known is how the relay's file names a device: a hash, so that who takes the file cannot look for a device that she
// knows.
func known(d krama.DeviceID) krama.DeviceID {
	h := seal.Hash("relay member", d[:])
	return krama.DeviceID(h[:16])
}

// renamed forgets what is known of programmes.
func (r *Relay) renamed() { r.mu.Lock(); defer r.mu.Unlock(); clear(r.programmes) }

func (r *Relay) create(q *request) ([]byte, error) {
	it, err := seal.ParseItems(q.Payload, 16, ed25519.PublicKeySize, 32, -1, 1)
	if err != nil || (len(it[3]) != 0 && len(it[3]) != 16) || it[4][0] > 1 {
		return nil, krama.E("relay", krama.Invalid, "create")
	}
	key, err := seal.SigKey(it[1])
	if err != nil {
		return nil, err
	}
	s := Stream{ID: seal.StreamID(it[0]), Programme: q.programme.ID, Access: key, Head: seal.Head{H: [32]byte(it[2])},
		Roster: it[4][0] == 1}
	if len(it[3]) == 0 {
		return nil, r.store.CreateStream(q.ctx, s, nil)
	}
	before := seal.StreamID(it[3])
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.store.CreateStream(q.ctx, s, &before); err != nil {
		return nil, err
	}
	clear(r.open)
	return nil, nil
}

// line says which streams are circle 0's: what an earlier version made without saying it.
func (r *Relay) line(q *request) ([]byte, error) {
	it, err := seal.ParseFrame(q.Payload, 1<<12)
	if err != nil || len(it) == 0 {
		return nil, krama.E("relay", krama.Invalid, "line")
	}
	var ids []seal.StreamID
	for _, b := range it {
		if len(b) != 16 {
			return nil, krama.E("relay", krama.Invalid, "line")
		}
		ids = append(ids, seal.StreamID(b))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.open)
	return nil, r.store.Line(q.ctx, q.programme.ID, ids)
}

// handOver gives the programme to another control key: a removed device knows the old one.
func (r *Relay) handOver(q *request) ([]byte, error) {
	it, err := seal.ParseItems(q.Payload, ed25519.PublicKeySize)
	if err != nil {
		return nil, err
	}
	key, err := seal.SigKey(it[0])
	if err != nil {
		return nil, err
	}
	defer r.renamed()
	return nil, r.store.SetControl(q.ctx, q.programme.ID, key)
}

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
	it, err := seal.ParseItems(q.Payload, 16, -1)
	if err != nil {
		return nil, err
	}
	a, err := seal.ParseAppend(it[1])
	if err != nil {
		return nil, err
	}
	s, err := r.store.Stream(q.ctx, seal.StreamID(it[0]))
	if err != nil || s.Programme != q.programme.ID {
		return nil, errRefused
	}
	head, err := r.store.Append(q.ctx, s.ID, a.IfHead, a.Envelopes, r.limit.Room(s.Keep()))
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
	it, err := seal.ParseItems(q.Payload, 32, 4, 4, -1)
	if err != nil || len(it[3]) > partMax {
		return nil, krama.E("relay", krama.Invalid, "part")
	}
	total, offset := be32(it[1]), be32(it[2])
	if int64(total) > r.limit.Body || int64(offset) > r.limit.Body {
		return nil, krama.E("relay", krama.TooLarge, "")
	}
	n, err := r.parts.put(partKey{q.programme.ID, q.Principal, [32]byte(it[0])}, int(total), int(offset), it[3],
		r.elapsed())
	return u32(uint32(n)), err
}
