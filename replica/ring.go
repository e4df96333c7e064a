package replica

import (
	"context"
	"maps"

	"krama"
	"krama/seal"
)

// fetchRing reads the keyring that came with the newest epoch of a circle, once.
func (r meeting) fetchRing(ctx context.Context, c krama.CircleID) error {
	r.mu.Lock()
	st := r.led.streams[c]
	if st == nil {
		r.mu.Unlock()
		return errLocked
	}
	ep := st.newest()
	open := r.led.roster.Circles[c].Epochs[ep.Epoch]
	key := ringKey(c)
	// Nothing is to be read where it is here already, where the circle has nobody, and where the secrets came without
	// the keyring key: from trustees who may not open people (doc/format.md, 1).
	done := r.led.values.of(key) == open.Mark() || len(open.Pages) == 0 || ep.KG == [32]byte{}
	r.mu.Unlock()
	if done {
		return nil
	}
	pages, err := r.readRing(ctx, ep, open)
	if krama.KindOf(err) == krama.NotFound && err != nil && r.superseded(c, ep.Epoch) {
		return nil // forgotten, because a newer one is there whose keys have not come yet
	}
	if err != nil {
		return err
	}
	ring := keyring{}
	for _, p := range pages {
		maps.Copy(ring, p.Keys)
	}
	if err := r.hold(); err != nil {
		return err
	}
	defer r.mu.Unlock()
	// The mark with the keys, in one commit: a kill must not leave the mark of keys that are not here.
	if err := r.commit(keyringEntry(c, ep.Epoch, ring), key.entry(open.Mark())); err != nil {
		return err
	}
	r.led.values.put(key, open.Mark())
	r.led.takeRing(place{c, ep.Epoch}, ring)
	return nil
}

// readRing reads and opens an epoch's keyring from the relay.
func (r meeting) readRing(ctx context.Context, ep *seal.Epoch, open *seal.RosterEpoch) ([]seal.Page, error) {
	var parts [][]byte
	var hashes [][32]byte
	for _, id := range open.Pages {
		wire, err := r.blob(ctx, ep.Circle, id)
		if err != nil {
			return nil, err
		}
		if seal.BlobID(wire) != id {
			return nil, krama.E("replica.readRing", krama.Tampered, "a page is not what was signed")
		}
		parts, hashes = append(parts, wire), append(hashes, seal.PageHash(wire))
	}
	// The names prove each part, the root that these are all of them in their order (doc/format.md, 1).
	if ep.KeyringRoot(hashes) != open.KeyringRoot {
		return nil, krama.E("replica.readRing", krama.Tampered, "the pages are not those that were signed")
	}
	pages, err := ep.OpenKeyring(parts)
	if err != nil {
		return nil, krama.E("replica.readRing", krama.Tampered, "a page is not what was signed")
	}
	return pages, nil
}

// blob reads a page from the relay. Over a line that breaks it goes on where it was.
func (r meeting) blob(ctx context.Context, c krama.CircleID, id [32]byte) (wire []byte, err error) {
	for {
		more, err := r.streamCall(ctx, c, seal.PathBlobGet, seal.BlobGetCall{ID: id, Skip: uint32(len(wire))}.Marshal())
		wire = append(wire, more...)
		if krama.KindOf(err) != krama.Offline || err == nil || len(more) == 0 {
			return wire, err
		}
	}
}

// ringKey is which keyring of a circle is here.
func ringKey(c krama.CircleID) Setting { return rings.Of(c.String()) }

var rings = NewSetting(".ring.", OfNobody)

// superseded reports whether a later epoch is open: the relay keeps the newest keyring alone.
func (r meeting) superseded(c krama.CircleID, epoch uint32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int(epoch)+1 < len(r.led.roster.Circles[c].Epochs)
}

// keyringEntry keeps a keyring: ids and keys, one behind the other.
func keyringEntry(c krama.CircleID, epoch uint32, ring keyring) []byte {
	b := make([]byte, 0, 48*len(ring))
	for s, k := range ring {
		b = append(append(b, s[:]...), k[:]...)
	}
	return tagged(tagKeyring, c[:], u32(epoch), b)
}

// remake makes the streams of a circle that the roster shows and the relay does not have: after a rotation that was
// cut, or after the relay was restored from a backup. Only an admin can; it reports whether it did.
func (r meeting) remake(ctx context.Context, c krama.CircleID) (bool, error) {
	r.mu.Lock()
	refused := krama.E("replica.remake", krama.NotAllowed, "the relay does not have the stream")
	if r.j == nil {
		r.mu.Unlock()
		return false, errLocked
	}
	st := r.led.streams[c]
	if dev := r.led.roster.Devices[r.led.dev.ID()]; dev == nil ||
		r.led.roster.Members[dev.Member].Roles&krama.RoleAdmin == 0 ||
		st == nil {
		r.mu.Unlock()
		return false, refused
	}
	var list []seal.CreateCall
	var before *seal.StreamID
	// A stream names the one before it, so that the relay knows one line. Where secrets are missing, the line begins
	// behind them.
	for e := uint32(0); e <= st.epoch.Epoch; e++ {
		ep := st.known[e]
		start, ok := r.led.roster.StartOf(c, e)
		if ep == nil || !ok {
			before = nil
			continue
		}
		list = append(list, createCall(ep, start, before))
		before = &list[len(list)-1].ID
	}
	r.mu.Unlock()
	// From the newest back to one whose predecessor is there, then forward again.
	for i := len(list) - 1; i >= 0; i-- {
		err := r.controlCall(ctx, seal.PathCreate, list[i].Marshal())
		// Its predecessor is not there either.
		if krama.KindOf(err) == krama.NotFound && err != nil {
			continue
		}
		// Conflict is a stream that is there and not empty: it is what was wanted.
		if err != nil && krama.KindOf(err) != krama.Conflict {
			return false, err
		}
		for _, o := range list[i+1:] {
			err := r.controlCall(ctx, seal.PathCreate, o.Marshal())
			if krama.KindOf(err) != krama.Conflict && err != nil {
				return false, err
			}
		}
		return true, nil
	}
	return false, refused
}
