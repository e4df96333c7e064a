package replica

import (
	"bytes"
	"context"
	"slices"
	"time"

	"krama"
	"krama/seal"
)

func (e *evil) clone() *evil {
	c := &evil{now: e.now, streams: map[seal.StreamID]*evilStream{}, boxes: map[[16]byte][][]byte{},
		blobs: map[[32]byte][]byte{}}
	for k, v := range e.streams {
		c.streams[k] = &evilStream{v.start, slices.Clone(v.entries)}
	}
	for k, v := range e.boxes {
		c.boxes[k] = slices.Clone(v)
	}
	for k, v := range e.blobs {
		c.blobs[k] = v
	}
	return c
}

func (s *evilStream) head(n int) seal.Head {
	h := s.start
	for _, e := range s.entries[:n] {
		h = h.Link(seal.EnvelopeID(e))
	}
	return h
}

func (s *evilStream) add(envs [][]byte) {
	for _, e := range envs {
		if !slices.ContainsFunc(s.entries, func(o []byte) bool { return bytes.Equal(o, e) }) {
			s.entries = append(s.entries, e)
		}
	}
}

func (l *evilLine) Call(_ context.Context, path string, body []byte) ([]byte, time.Time, error) {
	l.calls++
	cut := krama.E("model", krama.Offline, "")
	if l.calls == l.cutAt && l.before {
		return nil, time.Time{}, cut
	}
	answer, err := l.serve(path, body)
	if l.calls == l.cutAt {
		return nil, time.Time{}, cut
	}
	return answer, l.now(), err
}

func (l *evilLine) serve(path string, body []byte) ([]byte, error) {
	if path == seal.PathHello {
		return seal.Session{MS: uint64(l.now().UnixMilli())}.Marshal(), nil
	}
	c, err := seal.ParseCall(body)
	if err != nil {
		return nil, err
	}
	id := seal.StreamID(c.Principal)
	s := l.streams[id]
	refused := krama.E("model", krama.NotAllowed, "")
	switch path {
	case seal.PathFound, seal.PathMembers, seal.PathControl, seal.PathLine, seal.PathClose, seal.PathBlobDrop,
		seal.PathRewind:
		return nil, nil
	case seal.PathCreate:
		req, _ := seal.ParseCreate(c.Payload)
		if l.streams[req.ID] == nil {
			l.streams[req.ID] = &evilStream{start: seal.Head{H: req.Start}}
		}
		return nil, nil
	case seal.PathList:
		if s == nil {
			return nil, refused
		}
		req, _ := seal.ParseList(c.Payload)
		n := len(s.entries)
		if h, ok := l.hidden[id]; ok {
			n = min(n, h)
		}
		out := seal.Listing{Head: s.head(n)}
		for i := int(req.After); i < n; i++ {
			out.Entries = append(out.Entries, s.entries[i])
		}
		return out.Marshal(), nil
	case seal.PathAppend:
		if s == nil {
			return nil, refused
		}
		a, _ := seal.ParseAppend(c.Payload)
		if a.IfHead != nil && *a.IfHead != uint64(len(s.entries)) {
			return nil, krama.E("model", krama.Conflict, "")
		}
		switch {
		case l.lose && a.IfHead == nil:
			l.lose = false
		case l.delay && a.IfHead == nil:
			l.delay = false
			l.late = append(l.late, evilLate{id, a.Envelopes})
		default:
			s.add(a.Envelopes)
		}
		return s.head(len(s.entries)).Marshal(), nil
	case seal.PathBoxPut:
		req, _ := seal.ParseBoxPut(c.Payload)
		for _, p := range req.Puts {
			l.boxes[p.Box] = append(l.boxes[p.Box], p.Item)
		}
		return nil, nil
	case seal.PathBoxKeep:
		req, _ := seal.ParseBoxItems(c.Payload, 1024)
		l.boxes[req.Box] = req.Items
		return nil, nil
	case seal.PathBoxGet:
		req, _ := seal.ParseBoxGet(c.Payload)
		return l.held(seal.Mailbox(krama.DeviceID(c.Principal), req.Kem)), nil
	case seal.PathDropPut:
		req, _ := seal.ParseDropPut(c.Payload)
		l.boxes[c.Principal] = append(l.boxes[c.Principal], req.Item)
		return nil, nil
	case seal.PathLeavePut:
		req, _ := seal.ParseBoxItems(c.Payload, 1024)
		l.boxes[req.Box] = append(l.boxes[req.Box], req.Items...)
		return nil, nil
	case seal.PathDropGet:
		req, _ := seal.ParseDropGet(c.Payload)
		return l.held(req.Drop), nil
	case seal.PathLeaveMine, seal.PathLeaveGet:
		req, _ := seal.ParseLeaveGet(c.Payload)
		return l.held(req.Box), nil
	case seal.PathPart: // the line is down for it too
		return nil, krama.E("model", krama.Offline, "")
	case seal.PathBlobPut:
		req, _ := seal.ParseBlobPut(c.Payload)
		l.blobs[seal.BlobID(req.Blob)] = req.Blob
		return nil, nil
	case seal.PathBlobGet:
		req, _ := seal.ParseBlobGet(c.Payload)
		return l.blobs[req.ID], nil
	}
	return nil, krama.E("model", krama.NotFound, "")
}

// held is everything in a box, in one answer.
func (l *evilLine) held(box [16]byte) []byte {
	var list []seal.Held
	for i, b := range l.boxes[box] {
		list = append(list, seal.Held{K: uint64(i) + 1, Body: b})
	}
	return seal.MarshalHeld(list, 0, true)
}
