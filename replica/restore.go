package replica

import (
	"crypto/hpke"
	"encoding/binary"
	"time"

	"krama"
	"krama/seal"
)

// A journal, read back into a ledger.

// restore folds one journal entry that is no envelope into the state.
func (l *ledger) restore(tag byte, b []byte) error {
	// No tag has more than seven fields.
	it, err := seal.ParseFrame(b, 8)
	if err != nil {
		return errEntry
	}
	sized := func(sizes ...int) bool {
		if len(it) != len(sizes) {
			return false
		}
		for i, n := range sizes {
			if n >= 0 && len(it[i]) != n {
				return false
			}
		}
		return true
	}
	// Entries outlive the buffer they were read from.
	own := func(b []byte) []byte { return append([]byte(nil), b...) }
	// What fits no case is skipped (doc/format.md, 10): a tag, or a shape of a known one, that this version does not
	// have.
	switch {
	case tag == tagDevice && sized(-1, 32):
		l.dev, err = seal.ParseDevice(own(it[0]))
		l.drop = own(it[1])
		return err
	case tag == tagScan && sized(-1):
		s, err := seal.ParseScan2(string(it[0]))
		l.scan = &s
		return err
	case tag == tagOrg && sized(32, -1):
		l.setOrg(krama.OrgID(it[0]), string(it[1]))
	case tag == tagEpoch && sized(32, 16, 4, 32, 32):
		return l.addEpoch(&seal.Epoch{Context: seal.Context{Org: krama.OrgID(it[0]), Circle: krama.CircleID(it[1]),
			Epoch: binary.BigEndian.Uint32(it[2])}, ES: [32]byte(it[3]), KG: [32]byte(it[4])})
	case tag == tagPending && sized(16, 16, 1, -1) && (seal.ItemKind(it[2][0]) != seal.KindSubjectKey ||
		len(it[3]) == 32):
		return l.queue(krama.CircleID(it[0]), seal.Item{Subject: krama.SubjectID(it[1]), Kind: seal.ItemKind(it[2][0]),
			Body: own(it[3])})
	case tag == tagSealed && sized(16, 8, -1):
		l.addSealed(krama.CircleID(it[0]), binary.BigEndian.Uint64(it[1]), own(it[2]))
	case tag == tagAlarm && (sized(-1, 16, 8, 16, 8) || sized(-1, 16, 8, 16, 8, 4) || sized(-1, 16, 8, 16, 8, 4, 8)):
		a := Alarm{What: AlarmKind(it[0]), Circle: krama.CircleID(it[1]), N: binary.BigEndian.Uint64(it[2]),
			Author: krama.DeviceID(it[3]), Day: krama.Day(binary.BigEndian.Uint64(it[4]))}
		if len(it) > 5 {
			a.Epoch = binary.BigEndian.Uint32(it[5])
		}
		if len(it) > 6 {
			a.Claim = binary.BigEndian.Uint64(it[6])
		}
		l.alarms = append(l.alarms, a)
	case tag == tagValue && sized(-1, -1):
		l.values.set(string(it[0]), string(it[1]))
	case tag == tagAgain && sized(16):
		l.again(krama.CircleID(it[0]))
	case tag == tagAgain && sized(16, 4):
		l.judgeAgain(place{krama.CircleID(it[0]), binary.BigEndian.Uint32(it[1])})
	case tag == tagSynced && sized(8):
		l.lastSync = time.UnixMilli(int64(binary.BigEndian.Uint64(it[0])))
	case tag == tagClose && sized(16, 4, 8, 32, 1):
		return l.close(place{krama.CircleID(it[0]), binary.BigEndian.Uint32(it[1])},
			seal.Head{N: binary.BigEndian.Uint64(it[2]), H: [32]byte(it[3])}, it[4][0] != 0)
	case tag == tagKeyring && sized(16, 4, -1) && len(it[2])%48 == 0:
		ring := keyring{}
		for b := it[2]; len(b) > 0; b = b[48:] {
			ring[krama.SubjectID(b)] = seal.SubjectKey(b[16:48])
		}
		l.takeRing(place{krama.CircleID(it[0]), binary.BigEndian.Uint32(it[1])}, ring)
	case tag == tagNext && sized(16, 4, 32, 32) && l.roster != nil:
		c := krama.CircleID(it[0])
		l.opening[c] = &seal.Epoch{Context: seal.Context{Org: l.roster.Org, Circle: c,
			Epoch: binary.BigEndian.Uint32(it[1])},
			ES: [32]byte(it[2]), KG: [32]byte(it[3])}
	case tag == tagRekey && sized(-1):
		k, err := hpke.MLKEM768X25519().NewPrivateKey(it[0])
		if err != nil {
			return errEntry
		}
		l.rekeys = append(l.rekeys, k)
		// The older key is here still and is to be destroyed when the roster shows this one (rekeyed).
		l.untidy = true
	case tag == tagLetter && sized(32, 1, 16, 8, -1):
		l.letters = append(l.letters, &Mail{ID: [32]byte(it[0]), Kind: seal.LetterKind(it[1][0]),
			From: krama.DeviceID(it[2]),
			Day:  krama.Day(binary.BigEndian.Uint64(it[3])), body: own(it[4])})
	case tag == tagLetterDo && sized(32):
		l.untidy = l.decide([32]byte(it[0])) || l.untidy
	case tag == tagOrphan && sized(16, 16, 16, 1, -1, 8):
		l.addOrphan(orphan{circle: krama.CircleID(it[0]), author: krama.DeviceID(it[1]),
			day:  krama.Day(binary.BigEndian.Uint64(it[5])),
			item: seal.Item{Subject: krama.SubjectID(it[2]), Kind: seal.ItemKind(it[3][0]), Body: own(it[4])}})
	case tag == tagClear && sized(16, 4):
		l.alarms.mended(place{krama.CircleID(it[0]), binary.BigEndian.Uint32(it[1])})
	case tag == tagClear && sized(16, 4, -1, 8, 16):
		l.alarms.mendedOne(place{krama.CircleID(it[0]), binary.BigEndian.Uint32(it[1])}, AlarmKind(it[2]),
			binary.BigEndian.Uint64(it[3]), krama.DeviceID(it[4]))
	case tag == tagControl && sized(32):
		l.addControl([32]byte(it[0]))
	case tag == tagAbandon && sized(16, 4):
		return l.abandon(place{krama.CircleID(it[0]), binary.BigEndian.Uint32(it[1])})
	case tag == tagTrim && sized(4, 8, 1):
		return l.trim(be32(it[0]), binary.BigEndian.Uint64(it[1]), it[2][0] != 0)
	case tag == tagTidy:
		l.untidy = false
	}
	return nil
}

// setOrg turns an empty roster to a programme.
func (l *ledger) setOrg(org krama.OrgID, relay string) {
	// The address needs no trust and may change; the organisation is what the roster is checked against.
	l.relay = relay
	if l.roster == nil || l.roster.Org != org { // a try that was cut goes on with what it had
		l.roster = seal.NewRoster(org)
	}
}

// take folds an envelope of the journal in, if it counts and stands in its place.
func (l *ledger) take(e *entry) error {
	p := place{e.circle, e.epoch}
	// Of a reading that a later one has replaced nothing is shown. What this device wrote in it, and what colleagues
	// wrote there that a relay lost, is noted all the same.
	if l.passed[p] < l.left[p].n {
		l.lost(e, cut{repair: l.left[p].repair})
		return nil
	}
	// Past its signed end an epoch holds nothing that counts (doc/format.md, 5). What is ours there is in the outbox
	// still.
	if c, ok := l.cuts[p]; ok && e.n > c.n {
		l.lost(e, c)
		return nil
	}
	// What circle 0 lost by a trim holds no records: of it only this device's sequence is noted.
	if e.circle == krama.OrgCircle && l.trims[e.epoch].void(e.n) {
		l.lost(e, cut{repair: true})
		return nil
	}
	st := l.streams[e.circle]
	if st == nil || e.epoch != st.epoch.Epoch || e.n != st.head.N+1 || st.closed {
		return nil // behind damage: the relay is asked again
	}
	return l.apply(st, e)
}

// whole ends the reading of a journal.
func (l *ledger) whole() {
	// Before loaded is set: until then carryOut leaves drafts and letters alone, and settleWaiting takes everybody
	// erased out of them in one pass.
	l.settleWaiting()
	l.loaded = true
	// What the voids leave out is still in the file.
	l.untidy = l.untidy || len(l.left)+len(l.cuts)+len(l.trims) > 0
	l.heed()
}
