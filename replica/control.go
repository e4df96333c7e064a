package replica

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"io"
	"slices"
	"strings"

	"krama"
	"krama/seal"
)

// The key that administers the programme at the relay is the admins' own: whoever has it could take the relay away from
// everybody, so no worker's phone may. A programme is founded with a key that circle 0 gives; the founder replaces it
// at once by one that she draws, and gives that to the other admins' devices and to the trustees' mailbox by letter. It
// is drawn anew when an admin's device goes.

// membersNamed is which devices the relay was told of, and on which day: a relay that was
// restored is told again.
var membersNamed = NewSetting(".members", OfNobody)

// nameMembers tells the relay the programme's short name and its devices, those that were removed too: each may leave
// something for the admins. A programme that an earlier version founded gets its name so. The relay learns no more than
// from their calls.
func (r Admin) nameMembers(ctx context.Context) error {
	if err := r.hold(); err != nil {
		return err
	}
	call := seal.MembersCall{Site: seal.SiteOf(r.led.roster.Org)}
	for _, d := range r.led.roster.Devices {
		call.Devices = append(call.Devices, seal.MemberKey{Pub: d.Request.SigPub, Nonce: d.Request.Nonce})
	}
	// The trustees' key reads its mailbox as a device does. Its nonce is zero (doc/format.md, 6).
	if t := r.led.roster.Trustees; t != nil {
		call.Devices = append(call.Devices, seal.MemberKey{Pub: t.SigPub})
	}
	slices.SortFunc(call.Devices, func(a, b seal.MemberKey) int { return bytes.Compare(a.Bytes(), b.Bytes()) })
	// With the day in the mark a relay that was restored knows them again by the next day, without a repair.
	sum := seal.SHA256(call.Marshal())
	mark := hex.EncodeToString(sum[:8]) + " " + krama.DayOf(r.Now()).String()
	done := r.led.values.of(membersNamed) == mark
	r.mu.Unlock()
	if done {
		return nil
	}
	if err := r.controlCall(ctx, seal.PathMembers, call.Marshal()); err != nil {
		return err
	}
	return r.SetValue(membersNamed, mark)
}

// lineNamed says that the relay knows which streams are circle 0's.
var lineNamed = NewSetting(".line", OfNobody)

// nameLine tells the relay, once, which streams are circle 0's: an earlier version made them without saying so.
func (r Admin) nameLine(ctx context.Context) error {
	r.mu.Lock()
	st := r.led.streams[krama.OrgCircle]
	if st == nil || r.led.values.of(lineNamed) != "" {
		r.mu.Unlock()
		return nil
	}
	var ids []seal.StreamID
	for e := uint32(0); e <= st.epoch.Epoch; e++ {
		if ep := st.known[e]; ep != nil {
			ids = append(ids, ep.StreamID())
		}
	}
	r.mu.Unlock()
	err := r.controlCall(ctx, seal.PathLine, seal.LineCall{Streams: ids}.Marshal())
	if krama.KindOf(err) == krama.NotFound && err != nil {
		return nil // a restored relay lacks one: it is repaired first
	}
	if err != nil {
		return err
	}
	return r.SetValue(lineNamed, "1")
}

// adminDevices lists the devices that can act as admins now. Called with the lock held.
func (r *core) adminDevices() (out []krama.DeviceID) {
	e := r.led.roster.Latest(krama.OrgCircle)
	if e == nil {
		return nil
	}
	for d := range e.Keyed {
		if dev := r.led.roster.Devices[d]; dev.Removed == 0 &&
			r.led.roster.Members[dev.Member].Roles&krama.RoleAdmin != 0 {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b krama.DeviceID) int { return slices.Compare(a[:], b[:]) })
	return out
}

// controlSet is which devices knew the newest control key when it was drawn or given; controlAt is that key.
var (
	controlSet = NewSetting(".control", OfNobody)
	controlAt  = NewSetting(".control.at", OfNobody)
)

// tendControl draws a control key when there is none of the admins' own yet or a device that knew it is an admin's no
// more, hands the programme over to it, and gives it to admins' devices that do not have it.
func (r Admin) tendControl(ctx context.Context) error {
	if err := r.hold(); err != nil {
		return err
	}
	me, roles := r.led.rolesLocked()
	admins := r.adminDevices()
	if roles&krama.RoleAdmin == 0 || !slices.Contains(admins, me) {
		r.mu.Unlock()
		return nil
	}
	// Each device that was given the newest key must be an admin's still: one that is not could close the programme's
	// streams and fill its mailboxes.
	knew := strings.Fields(r.led.values.of(controlSet))
	draw := len(r.led.controls) == 0
	for _, d := range knew {
		draw = draw || !slices.ContainsFunc(admins, func(a krama.DeviceID) bool { return a.String() == d })
	}
	var err error
	// Kept before the relay or a colleague hears of it (keepControl).
	if draw {
		var seed [32]byte
		if _, err = io.ReadFull(r.Rand, seed[:]); err == nil {
			err = r.keepControl(seed)
		}
		knew = []string{me.String()}
	}
	var body []byte
	newest := ""
	for _, s := range r.led.controls {
		body = append(body, s[:]...)
		newest = controlName(s)
	}
	r.mu.Unlock()
	if err != nil {
		return krama.Wrap("replica.control", err)
	}
	// Who knows the new key is only this device. A cut from here on gives it to the others the next time.
	if draw {
		if err := r.SetValue(controlSet, strings.Join(knew, " ")); err != nil {
			return err
		}
	}
	// The relay may have been told by a call whose answer was lost. Telling it again changes nothing.
	if draw || r.Value(controlAt) != newest {
		_, keys, err := r.controlKeys()
		if err != nil {
			return err
		}
		next := seal.ControlCall{Next: keys[0]().Public().(ed25519.PublicKey)}
		if err := r.controlCall(ctx, seal.PathControl, next.Marshal()); err != nil {
			return err
		}
		if err := r.SetValue(controlAt, newest); err != nil {
			return err
		}
	}
	for _, d := range admins {
		if d == me || slices.Contains(knew, d.String()) {
			continue
		}
		// One device at a time, written down after each: what is cut is posted once more, and the one that has it finds
		// nothing new.
		if err := r.postTo(ctx, []krama.DeviceID{d}, seal.LetterControl, body); err != nil {
			return err
		}
		knew = append(knew, d.String())
		if err := r.SetValue(controlSet, strings.Join(knew, " ")); err != nil {
			return err
		}
	}
	return nil
}

// controlName names a control key by its public half.
func controlName(seed [32]byte) string {
	return hex.EncodeToString(ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey)[:4])
}
