package seal

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"io"
	"maps"
	"slices"

	"krama"
)

// SubjectKey is the random key of one person in one circle. Destroying it destroys her records.
type SubjectKey [32]byte

// EraseToken says to holders of a person's key, and to nobody else, that she is being erased. It is bound to the device
// that says so: who only read it cannot say it again.
type EraseToken [16]byte

// EraseToken makes the token by which a device says that the key's person is being erased.
func (k SubjectKey) EraseToken(by krama.DeviceID) EraseToken {
	return EraseToken(Derive(k[:], nil, 16, "erased", by[:]))
}

const (
	pageEntries = 1024
	pageEntry   = 16 + 32
	pageFrame   = 1 + 32 + 16
	pageStep    = 64 // entries: a page's length tells the relay no more about a number of people
)

// isPage reports whether bytes have the size of a page: full steps, so that the number of people shows roughly.
func isPage(wire []byte) bool {
	n := len(wire) - pageFrame
	return n > 0 && n <= pageEntries*pageEntry && n%(pageStep*pageEntry) == 0 && wire[0] == 1
}

// PageKey opens one keyring page: the key, and the epoch and the place that the page was sealed for.
type PageKey struct {
	Epoch, Page uint32
	Key         [32]byte
}

// SealPage seals subject keys as keyring page p of the epoch, filled up with zeros to room for a number of entries,
// 1,024 at most: 49,201 bytes.
func (e *Epoch) SealPage(p uint32, salt [32]byte, keys map[krama.SubjectID]SubjectKey, room int) ([]byte, error) {
	if len(keys) > room || room > pageEntries {
		return nil, krama.E("seal.SealPage", krama.TooLarge, "")
	}
	pt := make([]byte, 0, room*pageEntry)
	for _, id := range sorted(keys) {
		k := keys[id]
		pt = append(append(pt, id[:]...), k[:]...)
	}
	wire := append([]byte{1}, salt[:]...)
	k := e.pageKey(p, salt[:])
	return sealOnce(wire, k.Key[:], pt[:cap(pt)], encCtx("keyring page", e.Context, u32(p), salt[:])), nil
}

// pageKey derives the key of a page that was sealed for this epoch.
func (e *Epoch) pageKey(p uint32, salt []byte) PageKey {
	return PageKey{e.Epoch, p, [32]byte(deriveCtx(e.KG[:], salt, 32, "keyring page", e.Context, u32(p)))}
}

// OpenPage opens keyring page p that was sealed for this epoch.
func (e *Epoch) OpenPage(p uint32, wire []byte) (map[krama.SubjectID]SubjectKey, error) {
	if !isPage(wire) {
		return nil, malformed("keyring page")
	}
	return e.OpenPageWith(e.pageKey(p, wire[1:33]), wire)
}

// OpenPageWith opens a keyring page of the epoch's circle with its key.
func (e *Epoch) OpenPageWith(k PageKey, wire []byte) (map[krama.SubjectID]SubjectKey, error) {
	if !isPage(wire) {
		return nil, malformed("keyring page")
	}
	at := e.Context
	at.Epoch = k.Epoch
	pt, err := openOnce(k.Key[:], wire[33:], encCtx("keyring page", at, u32(k.Page), wire[1:33]))
	if err != nil {
		return nil, err
	}
	out := map[krama.SubjectID]SubjectKey{}
	var last krama.SubjectID
	for i := 0; i < len(pt); i += pageEntry {
		id := krama.SubjectID(pt[i : i+16])
		if id == (krama.SubjectID{}) {
			if !bytes.Equal(pt[i:], make([]byte, len(pt)-i)) {
				return nil, malformed("keyring page")
			}
			break
		}
		if bytes.Compare(id[:], last[:]) <= 0 {
			return nil, malformed("keyring page")
		}
		last, out[id] = id, SubjectKey(pt[i+16:i+48])
	}
	return out, nil
}

// SealIndex seals the keys of an epoch's pages, in their order: what opens pages that an earlier epoch sealed.
func (e *Epoch) SealIndex(salt [32]byte, pages []PageKey) []byte {
	var pt []byte
	for _, k := range pages {
		pt = append(append(append(pt, u32(k.Epoch)...), u32(k.Page)...), k.Key[:]...)
	}
	wire := append([]byte{indexVersion}, salt[:]...)
	return sealOnce(wire, deriveCtx(e.KG[:], salt[:], 32, "keyring index", e.Context), pt, encCtx("keyring index",
		e.Context, salt[:]))
}

// OpenIndex opens what SealIndex made.
func (e *Epoch) OpenIndex(wire []byte) ([]PageKey, error) {
	const entry = 4 + 4 + 32
	if !IsIndex(wire) || len(wire) < 1+32+16 || (len(wire)-1-32-16)%entry != 0 {
		return nil, malformed("keyring index")
	}
	pt, err := openOnce(deriveCtx(e.KG[:], wire[1:33], 32, "keyring index", e.Context), wire[33:],
		encCtx("keyring index", e.Context, wire[1:33]))
	if err != nil {
		return nil, err
	}
	var out []PageKey
	for ; len(pt) > 0; pt = pt[entry:] {
		k := PageKey{binary.BigEndian.Uint32(pt), binary.BigEndian.Uint32(pt[4:]), [32]byte(pt[8:entry])}
		if k.Epoch > e.Epoch {
			return nil, malformed("keyring index")
		}
		out = append(out, k)
	}
	return out, nil
}

// indexVersion is the first byte of an index; a page's is 1.
const indexVersion = 2

// IsIndex reports whether the last part of a keyring is an index. A keyring without one has only pages of its own
// epoch.
func IsIndex(wire []byte) bool { return len(wire) > 0 && wire[0] == indexVersion }

// PageHash is a page's part in the keyring's root.
func PageHash(wire []byte) [32]byte { return Hash("page", wire) }

// KeyringRoot commits to all pages of an epoch's keyring, so that a relay cannot drop, swap or roll one back.
func (e *Epoch) KeyringRoot(pages [][32]byte) [32]byte {
	var parts [][]byte
	for _, p := range pages {
		parts = append(parts, p[:])
	}
	return hashCtx("keyring root", e.Context, parts...)
}

// Page is one page of a keyring: its bytes, what opens it, and who is on it.
type Page struct {
	Wire []byte
	Key  PageKey
	Keys map[krama.SubjectID]SubjectKey
}

// OpenKeyring opens an epoch's keyring: its pages, and after them the index, if it has one.
func (e *Epoch) OpenKeyring(parts [][]byte) ([]Page, error) {
	var index []PageKey
	if n := len(parts); n > 0 && IsIndex(parts[n-1]) {
		var err error
		if index, err = e.OpenIndex(parts[n-1]); err != nil {
			return nil, err
		}
		if parts = parts[:n-1]; len(index) != len(parts) {
			return nil, malformed("keyring index")
		}
	}
	var out []Page
	for p, wire := range parts {
		if !isPage(wire) {
			return nil, malformed("keyring page")
		}
		k := e.pageKey(uint32(p), wire[1:33])
		if index != nil {
			k = index[p]
		}
		keys, err := e.OpenPageWith(k, wire)
		if err != nil {
			return nil, err
		}
		out = append(out, Page{wire, k, keys})
	}
	return out, nil
}

// SealKeyring seals all keys as pages and an index. Of the pages that the epoch before had, those stay as they are on
// which everybody is still to be kept. Who is new comes on a page that is sealed anew, because somebody who left may
// know the keys of those that stay: where a page is sealed anew anyway and has room, else with the pages that have
// fewer people than are new, so that pages stay few and a person's key is sealed anew a few times in all. The salts are
// drawn from rand.
func (e *Epoch) SealKeyring(rand io.Reader, keys map[krama.SubjectID]SubjectKey, before []Page) (parts [][]byte,
	err error) {
	if len(keys) == 0 {
		return nil, nil
	}
	fresh := maps.Clone(keys)
	var same []Page
	var changed []map[krama.SubjectID]SubjectKey
	for _, p := range before {
		left := map[krama.SubjectID]SubjectKey{}
		for id, k := range p.Keys {
			if fresh[id] == k {
				left[id] = k
				delete(fresh, id)
			}
		}
		if len(left) == len(p.Keys) {
			same = append(same, p)
		} else if len(left) > 0 {
			changed = append(changed, left)
		}
	}
	if i := slices.IndexFunc(changed, func(m map[krama.SubjectID]SubjectKey) bool {
		return len(m)+len(fresh) <= pageEntries
	}); i >= 0 {
		maps.Copy(changed[i], fresh)
	} else if len(fresh) > 0 {
		slices.SortStableFunc(same, func(a, b Page) int { return cmp.Compare(len(a.Keys), len(b.Keys)) })
		for len(same) > 0 && len(same[0].Keys) <= len(fresh) && len(same[0].Keys) < pageEntries {
			maps.Copy(fresh, same[0].Keys)
			same = same[1:]
		}
		changed = append(changed, fresh)
	}
	var index []PageKey
	for _, p := range same {
		parts, index = append(parts, p.Wire), append(index, p.Key)
	}
	salt := func() (s [32]byte) {
		if _, e := io.ReadFull(rand, s[:]); e != nil {
			err = krama.Wrap("seal.SealKeyring", e)
		}
		return s
	}
	for _, group := range changed {
		for ids := range slices.Chunk(sorted(group), pageEntries) {
			some := map[krama.SubjectID]SubjectKey{}
			for _, id := range ids {
				some[id] = group[id]
			}
			p, s := uint32(len(parts)), salt()
			wire, failed := e.SealPage(p, s, some, (len(ids)+pageStep-1)/pageStep*pageStep)
			if err = cmp.Or(err, failed); err != nil {
				return nil, err
			}
			parts, index = append(parts, wire), append(index, e.pageKey(p, s[:]))
		}
	}
	parts = append(parts, e.SealIndex(salt(), index))
	return parts, err
}

// sorted are a keyring's people in an order that everybody makes.
func sorted(keys map[krama.SubjectID]SubjectKey) []krama.SubjectID {
	return slices.SortedFunc(maps.Keys(keys), func(a, b krama.SubjectID) int { return bytes.Compare(a[:], b[:]) })
}
