package seal

import (
	"bytes"
	"io"
	"slices"

	"krama"
)

// SubjectKey is the random key of one person in one circle. Destroying it destroys her records.
type SubjectKey [32]byte

const (
	pageEntries = 1024
	pageEntry   = 16 + 32
	pageSize    = 1 + 32 + pageEntries*pageEntry + 16
)

// SealPage seals up to 1,024 subject keys as keyring page p of the epoch: 49,201 bytes.
func (e *Epoch) SealPage(p uint32, salt [32]byte, keys map[krama.SubjectID]SubjectKey) ([]byte, error) {
	if len(keys) > pageEntries {
		return nil, krama.E("seal.SealPage", krama.TooLarge, "")
	}
	ids := make([]krama.SubjectID, 0, len(keys))
	for id := range keys {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b krama.SubjectID) int { return bytes.Compare(a[:], b[:]) })
	pt := make([]byte, 0, pageEntries*pageEntry)
	for _, id := range ids {
		k := keys[id]
		pt = append(append(pt, id[:]...), k[:]...)
	}
	pt = pt[:cap(pt)]
	wire := append([]byte{1}, salt[:]...)
	return sealOnce(wire, deriveCtx(e.KG[:], salt[:], 32, "keyring page", e.Context, u32(p)), pt, encCtx("keyring page", e.Context, u32(p), salt[:])), nil
}

// OpenPage opens keyring page p.
func (e *Epoch) OpenPage(p uint32, wire []byte) (map[krama.SubjectID]SubjectKey, error) {
	if len(wire) != pageSize || wire[0] != 1 {
		return nil, malformed("keyring page")
	}
	salt := wire[1:33]
	pt, err := openOnce(deriveCtx(e.KG[:], salt, 32, "keyring page", e.Context, u32(p)), wire[33:], encCtx("keyring page", e.Context, u32(p), salt))
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

// SealKeyring seals all keys as pages. The salts are drawn from rand.
func (e *Epoch) SealKeyring(rand io.Reader, keys map[krama.SubjectID]SubjectKey) (pages [][]byte, err error) {
	ids := make([]krama.SubjectID, 0, len(keys))
	for id := range keys {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b krama.SubjectID) int { return bytes.Compare(a[:], b[:]) })
	for p := 0; len(ids) > 0; p++ {
		part := map[krama.SubjectID]SubjectKey{}
		for _, id := range ids[:min(pageEntries, len(ids))] {
			part[id] = keys[id]
		}
		ids = ids[len(part):]
		var salt [32]byte
		if _, err := io.ReadFull(rand, salt[:]); err != nil {
			return nil, krama.Wrap("seal.SealKeyring", err)
		}
		wire, err := e.SealPage(uint32(p), salt, part)
		if err != nil {
			return nil, err
		}
		pages = append(pages, wire)
	}
	return pages, nil
}
