package memory

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"krama"
	"krama/relay"
	"krama/seal"
)

// PutItems implements relay.Boxes.
func (s *Store) PutItems(_ context.Context, items []relay.Item, expires time.Time, b relay.Bound) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := map[relay.Box][]item{}
	used := map[share]int64{}
	var err error
	for _, it := range items { // all or none
		sort := share{it.Box.Programme, it.Box.Keep}
		if _, ok := before[it.Box]; !ok {
			before[it.Box] = slices.Clone(s.boxes[it.Box])
		}
		if _, ok := used[sort]; !ok {
			used[sort] = s.used[sort]
		}
		if err = s.putItem(it, expires, b); err != nil {
			break
		}
	}
	if err != nil {
		for box, list := range before {
			s.boxes[box] = list
		}
		for sort, n := range used {
			s.used[sort] = n
		}
	}
	return err
}

func (s *Store) putItem(it relay.Item, expires time.Time, b relay.Bound) error {
	for i, old := range s.boxes[it.Box] {
		if bytes.Equal(old.body, it.Body) {
			if s.boxes[it.Box][i].expires = expires; old.owner == ([16]byte{}) {
				s.boxes[it.Box][i].owner = it.Owner
			}
			return nil
		}
	}
	sort := share{it.Box.Programme, it.Box.Keep}
	n, size := 0, int64(0)
	for box, list := range s.boxes {
		for _, old := range list {
			if box.Programme == it.Box.Programme && box.Keep == it.Box.Keep && old.owner == it.Owner {
				n, size = n+1, size+int64(len(old.body))
			}
		}
	}
	switch {
	case b.Items > 0 && len(s.boxes[it.Box]) >= b.Items:
		return krama.E("memory", krama.Full, "box")
	case b.OwnerItems > 0 && n >= b.OwnerItems, b.OwnerBytes > 0 && size+int64(len(it.Body)) > b.OwnerBytes:
		return krama.E("memory", krama.Full, "owner")
	case s.used[sort]+int64(len(it.Body)) > b.Room:
		return krama.E("memory", krama.Full, "quota")
	}
	s.lastItem++
	s.used[sort] += int64(len(it.Body))
	s.boxes[it.Box] = append(s.boxes[it.Box], item{s.lastItem, it.Owner, bytes.Clone(it.Body), expires})
	return nil
}

// SetItems implements relay.Boxes.
func (s *Store) SetItems(_ context.Context, box relay.Box, bodies [][]byte, expires time.Time, room int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sort := share{box.Programme, box.Keep}
	before, used := s.boxes[box], s.used[sort]
	for _, it := range before {
		s.used[sort] -= int64(len(it.body))
	}
	s.boxes[box] = nil
	for _, b := range bodies {
		if err := s.putItem(relay.Item{Box: box, Body: b}, expires, relay.Bound{Room: room}); err != nil {
			s.boxes[box], s.used[sort] = before, used
			return err
		}
	}
	return nil
}

// Items implements relay.Boxes.
func (s *Store) Items(_ context.Context, box relay.Box, owner [16]byte, now time.Time, after uint64,
	max int) ([]seal.Held, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []seal.Held
	size := 0
	all := s.boxes[box]
	if box.Programme != ([16]byte{}) {
		nobodys := box
		nobodys.Programme = [16]byte{}
		all = slices.Concat(all, s.boxes[nobodys])
		slices.SortFunc(all, func(a, b item) int { return cmp.Compare(a.k, b.k) })
	}
	for _, it := range all {
		if !it.expires.After(now) || it.k <= after || owner != ([16]byte{}) && it.owner != owner {
			continue
		}
		if size += len(it.body); size > max && len(out) > 0 {
			break
		}
		out = append(out, seal.Held{K: it.k, Body: it.body})
	}
	return out, nil
}

// Holders implements relay.Boxes.
func (s *Store) Holders(_ context.Context, k relay.Keep, id [16]byte) (out [][16]byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for b, list := range s.boxes {
		if b.Keep == k && b.ID == id && len(list) > 0 {
			out = append(out, b.Programme)
		}
	}
	return out, nil
}

// Sweep implements relay.Boxes.
func (s *Store) Sweep(_ context.Context, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for box, items := range s.boxes {
		s.boxes[box] = slices.DeleteFunc(slices.Clone(items), func(it item) bool {
			if !it.expires.After(now) {
				s.used[share{box.Programme, box.Keep}] -= int64(len(it.body))
			}
			return !it.expires.After(now)
		})
		if len(s.boxes[box]) == 0 {
			delete(s.boxes, box)
		}
	}
	for id := range s.reports {
		s.forgetReports(id, func(r relay.Report) bool { return r.Day < krama.DayOf(now)-relay.ReportKeep })
	}
	return nil
}

func (s *Store) forgetReports(intake [16]byte, which func(relay.Report) bool) {
	s.reports[intake] = slices.DeleteFunc(s.reports[intake], func(r relay.Report) bool {
		if which(r) {
			s.used[share{s.reportsOf[intake], relay.Inbox}] -= int64(len(r.Body))
			return true
		}
		return false
	})
}

// PutBlob implements relay.Blobs.
func (s *Store) PutBlob(_ context.Context, programme [16]byte, id [32]byte, body []byte, room int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.blobs[id]; ok {
		return nil
	}
	sort := share{programme, relay.Pages}
	if s.used[sort]+int64(len(body)) > room {
		return krama.E("memory", krama.Full, "quota")
	}
	s.used[sort] += int64(len(body))
	s.blobs[id] = blob{programme, bytes.Clone(body)}
	return nil
}

// Blob implements relay.Blobs.
func (s *Store) Blob(_ context.Context, programme [16]byte, id [32]byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.blobs[id]
	if !ok || b.programme != programme {
		return nil, krama.E("memory", krama.NotFound, "blob")
	}
	return b.body, nil
}

// DropBlobs implements relay.Blobs.
func (s *Store) DropBlobs(_ context.Context, programme [16]byte, ids [][32]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if b, ok := s.blobs[id]; ok && b.programme == programme {
			s.used[share{programme, relay.Pages}] -= int64(len(b.body))
			delete(s.blobs, id)
		}
	}
	return nil
}

// SetDoor implements relay.Doors.
func (s *Store) SetDoor(_ context.Context, programme [16]byte, door []byte, intakes [][16]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range intakes {
		if p, ok := s.intakes[id]; ok && p != programme {
			return krama.E("memory", krama.Conflict, "intake")
		}
	}
	if _, ok := s.doors[programme]; !ok {
		s.published = append(s.published, programme)
	}
	s.used[share{programme, relay.Published}] = int64(len(door))
	s.doors[programme] = bytes.Clone(door)
	for id, p := range s.intakes {
		if p == programme {
			delete(s.intakes, id)
		}
	}
	for _, id := range intakes {
		s.intakes[id], s.reportsOf[id] = programme, programme
	}
	return nil
}

// Door implements relay.Doors.
func (s *Store) Door(_ context.Context, programme [16]byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if programme == ([16]byte{}) && len(s.published) > 0 {
		programme = s.published[0]
	}
	d, ok := s.doors[programme]
	if !ok {
		return nil, krama.E("memory", krama.NotFound, "door")
	}
	return bytes.Clone(d), nil
}

// Intake implements relay.Doors.
func (s *Store) Intake(_ context.Context, id [16]byte) ([16]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.intakes[id]
	if !ok {
		return p, krama.E("memory", krama.NotFound, "intake")
	}
	return p, nil
}

// PutReport implements relay.Reports.
func (s *Store) PutReport(_ context.Context, intake [16]byte, day krama.Day, body []byte, limit int, room int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.intakes[intake]
	if !ok {
		return krama.E("memory", krama.NotFound, "intake")
	}
	for _, r := range s.reports[intake] {
		if bytes.Equal(r.Body, body) {
			return nil
		}
	}
	sort := share{p, relay.Inbox}
	if len(s.reports[intake]) >= limit || s.used[sort]+int64(len(body)) > room {
		return krama.E("memory", krama.Full, "intake")
	}
	s.used[sort] += int64(len(body))
	s.lastReport++
	s.reports[intake] = append(s.reports[intake], relay.Report{K: s.lastReport, Day: day, Body: bytes.Clone(body)})
	return nil
}

// Reports implements relay.Reports.
func (s *Store) Reports(_ context.Context, intake [16]byte, after int64, max int) (out []relay.Report, waiting int,
	err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := 0
	for _, r := range s.reports[intake] {
		if r.K <= after {
			continue
		}
		waiting++
		if size += len(r.Body); size <= max || len(out) == 0 {
			out = append(out, relay.Report{K: r.K, Day: r.Day, Body: bytes.Clone(r.Body)})
		}
	}
	return out, waiting, nil
}

// DropReports implements relay.Reports.
func (s *Store) DropReports(_ context.Context, intake [16]byte, upTo int64, sums [][32]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetReports(intake, func(r relay.Report) bool {
		return r.K <= upTo || slices.Contains(sums, sha256.Sum256(r.Body))
	})
	return nil
}
