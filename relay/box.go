package relay

import (
	"time"

	"krama"
	"krama/seal"
)

// keepFor is how long a kept box lasts: longer than any programme.
const keepFor = 100 * 365 * 24 * time.Hour

// leastItem is what any sealed item has at least. Shares count bytes and not rows, so nothing smaller comes in.
const leastItem = 32

// itemSize refuses what is too small to be sealed, or too large.
func (r *Relay) itemSize(b []byte) error {
	switch {
	case len(b) < leastItem:
		return krama.E("relay", krama.Invalid, "an item that is nothing sealed")
	case len(b) > r.limit.BoxItem:
		return krama.E("relay", krama.TooLarge, "")
	}
	return nil
}

// boxPut puts wraps and letters into devices' mailboxes. Only admins' devices have the key for it, so nobody else can
// fill one.
func (r *Relay) boxPut(q *request) ([]byte, error) {
	c, err := seal.ParseBoxPut(q.Payload)
	if err != nil {
		return nil, err
	}
	var items []Item
	for _, p := range c.Puts {
		if err := r.itemSize(p.Item); err != nil {
			return nil, err
		}
		items = append(items, Item{Box: q.box(Mail, p.Box), Body: p.Item})
	}
	return nil, r.store.PutItems(q.ctx, items, r.now().Add(r.limit.BoxKeep), Bound{Items: r.limit.BoxItems,
		Room: r.limit.Room(Mail)})
}

// boxKeep replaces what lies in the trustees' mailbox with items that do not expire.
func (r *Relay) boxKeep(q *request) ([]byte, error) {
	c, err := seal.ParseBoxItems(q.Payload, r.limit.BoxItems)
	if err != nil {
		return nil, err
	}
	for _, item := range c.Items {
		if err := r.itemSize(item); err != nil {
			return nil, err
		}
	}
	return nil, r.store.SetItems(q.ctx, q.box(Trust, c.Box), c.Items, r.now().Add(keepFor), r.limit.Room(Trust))
}

// boxGet gives a device, or the trustees, what lies in a mailbox of theirs: its id commits to the key that signed.
func (r *Relay) boxGet(q *request) ([]byte, error) {
	c, err := seal.ParseBoxGet(q.Payload)
	if err != nil {
		return nil, err
	}
	box := q.box(Trust, seal.Mailbox(krama.DeviceID(q.Principal), c.Kem))
	list, err := r.store.Items(q.ctx, box, [16]byte{}, r.now(), 0, 1)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 { // trustees have one mailbox, and what lies in others under its id does not hide it
		box.Keep = Mail
	}
	return r.held(q, box, [16]byte{}, c.After)
}

// held answers with the items of a box after a place, without the beginning of the first that the caller has.
func (r *Relay) held(q *request, box Box, owner [16]byte, after seal.After) ([]byte, error) {
	list, err := r.store.Items(q.ctx, box, owner, r.now(), after.Place, q.room)
	size := 0
	for _, h := range list {
		size += len(h.Body)
	}
	last := size+r.limit.BoxItem <= q.room && len(list) < seal.HeldMax // else there may be more
	return seal.MarshalHeld(list, int(after.Skip), last), err
}

// dropPut lets a new device, which no programme knows yet, say what it asks to be enrolled with.
func (r *Relay) dropPut(q *request) ([]byte, error) {
	c, err := seal.ParseDropPut(q.Payload)
	if err != nil {
		return nil, err
	}
	if len(c.Item) > r.limit.DropItem {
		return nil, krama.E("relay", krama.TooLarge, "")
	}
	return nil, r.store.PutItems(q.ctx, []Item{{Box: Box{Keep: Drops, ID: q.Principal}, Body: c.Item}},
		r.now().Add(r.limit.DropKeep), Bound{Items: r.limit.DropItems, Room: r.limit.Room(Drops)})
}

// dropGet gives an office what a new device put into its drop.
func (r *Relay) dropGet(q *request) ([]byte, error) {
	c, err := seal.ParseDropGet(q.Payload)
	if err != nil {
		return nil, err
	}
	list, err := r.store.Items(q.ctx, Box{Keep: Drops, ID: c.Drop}, [16]byte{}, r.now(), 0, q.room)
	return seal.MarshalHeld(list, 0, true), err
}

// leavePut keeps what a device leaves for the admins: the work that nobody takes from it any more, and its word that it
// is empty. A removed device may do this and nothing else, and each fills its own share only.
func (r *Relay) leavePut(q *request) ([]byte, error) {
	c, err := seal.ParseBoxItems(q.Payload, r.limit.BoxItems)
	if err == nil && len(c.Items) == 0 {
		err = krama.E("relay", krama.Invalid, "box")
	}
	if err != nil {
		return nil, err
	}
	var items []Item
	for _, b := range c.Items {
		if err := r.itemSize(b); err != nil {
			return nil, err
		}
		items = append(items, Item{q.box(Left, c.Box), known(krama.DeviceID(q.Principal)), b})
	}
	return nil, r.store.PutItems(q.ctx, items, r.now().Add(r.limit.BoxKeep),
		Bound{OwnerItems: r.limit.LeftItems, OwnerBytes: r.limit.LeftBytes, Room: r.limit.Room(Left)})
}

// leaveMine gives a device back what it has left, and nobody else's.
func (r *Relay) leaveMine(q *request) ([]byte, error) {
	return r.left(q, known(krama.DeviceID(q.Principal)))
}

// leaveGet gives the admins what devices have left.
func (r *Relay) leaveGet(q *request) ([]byte, error) { return r.left(q, [16]byte{}) }

// left gives what devices left: their own to them, all to an admin.
func (r *Relay) left(q *request, owner [16]byte) ([]byte, error) {
	c, err := seal.ParseLeaveGet(q.Payload)
	if err != nil {
		return nil, err
	}
	return r.held(q, q.box(Left, c.Box), owner, c.After)
}

// blobPut keeps a page of a keyring. Only admins' devices make them.
func (r *Relay) blobPut(q *request) ([]byte, error) {
	c, err := seal.ParseBlobPut(q.Payload)
	if err != nil {
		return nil, err
	}
	if len(c.Blob) > r.limit.Blob {
		return nil, krama.E("relay", krama.TooLarge, "")
	}
	id := seal.BlobID(c.Blob)
	return id[:], r.store.PutBlob(q.ctx, q.programme.ID, id, c.Blob, r.limit.Room(Pages))
}

// blobGet gives a blob from a place in it on.
func (r *Relay) blobGet(q *request) ([]byte, error) {
	c, err := seal.ParseBlobGet(q.Payload)
	if err != nil {
		return nil, err
	}
	b, err := r.store.Blob(q.ctx, q.programme.ID, c.ID)
	return b[min(len(b), int(c.Skip)):], err
}

// blobDrop forgets blobs of the programme: the old pages of an erasure.
func (r *Relay) blobDrop(q *request) ([]byte, error) {
	c, err := seal.ParseBlobDrop(q.Payload)
	if err != nil {
		return nil, err
	}
	return nil, r.store.DropBlobs(q.ctx, q.programme.ID, c.IDs)
}
