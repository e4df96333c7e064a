package relay

import (
	"context"
	"crypto/ed25519"
	"time"

	"krama"
	"krama/seal"
)

// Store is what the relay keeps. Every write is on stable storage when it returns nil. All methods are safe for
// concurrent use. Errors carry krama.NotFound, Conflict, Full or Internal, which is also a ctx that ended. Bytes that
// are given stay the caller's; bytes that are returned are not changed by her.
type Store interface {
	Programmes
	Streams
	Boxes
	Blobs
	Doors
	Reports
	// Used is how many bytes a programme keeps of a sort, for tests. What belongs to nobody yet is the zero
	// programme's.
	Used(ctx context.Context, programme [16]byte, k Keep) (int64, error)
	Close() error
}

// Keep is a sort of thing that the relay keeps. A thing of one sort is never given, changed or dropped by a call of
// another, and each sort has a share of its programme's room, so that who fills one does not fill the others. Stores
// keep the numbers: a new sort goes before Keeps, and none changes its number.
type Keep uint8

// The sorts.
const (
	Content   Keep = iota // envelopes of circles
	Roster                // envelopes of circle 0
	Pages                 // keyring pages
	Mail                  // devices' mailboxes: wraps, letters, ways to the roster
	Trust                 // the trustees' mailbox
	Drops                 // of new devices; no programme's
	Left                  // what devices left for the admins
	Answers               // to reporters
	Slips                 // what services said of slips
	Peppers               // the relay's part of vault keys
	Inbox                 // reports that nobody has fetched
	Published             // the door
	Keeps                 // how many sorts there are
)

// Programme is a tenant: an opaque id, the key that administers it, and the short name its devices know (seal.SiteOf),
// zero until its office has said it: a programme that an earlier version founded has none at first.
type Programme struct {
	ID      [16]byte
	Control ed25519.PublicKey
	Site    [16]byte
}

// Member is a device of a programme and its key. None is taken out: a removed device may still leave its work.
type Member struct {
	ID  krama.DeviceID // a hash of the device's id: who takes the store's file cannot look for a device she knows
	Key ed25519.PublicKey
}

// MaxMembers bounds the devices that a programme ever had.
const MaxMembers = 8192

// Programmes keeps tenants.
type Programmes interface {
	// AddProgramme is idempotent for equal programmes; another key under the same id, or a name that another has, is
	// Conflict.
	AddProgramme(ctx context.Context, p Programme) error
	// Programme returns NotFound for an unknown id.
	Programme(ctx context.Context, id [16]byte) (Programme, error)
	// Named returns the programme with a short name, NotFound for none.
	Named(ctx context.Context, site [16]byte) (Programme, error)
	// Unnamed returns the only programme without a name; NotFound when there is none or more than one.
	Unnamed(ctx context.Context) (Programme, error)
	// SetControl changes the key of a programme; NotFound for an unknown id. Repeating is safe.
	SetControl(ctx context.Context, id [16]byte, control ed25519.PublicKey) error
	// AddMembers names a programme and adds devices. Repeating is safe. A name that another programme has, or another
	// name than it has, is Conflict; more than MaxMembers is Full.
	AddMembers(ctx context.Context, id, site [16]byte, list []Member) error
	// Member returns a device of the programme, or NotFound.
	Member(ctx context.Context, id [16]byte, device krama.DeviceID) (Member, error)
}

// Stream is the state of one stream, which is one epoch of a circle. Those of one circle are a line, each following the
// one before it.
type Stream struct {
	ID        seal.StreamID
	Programme [16]byte
	Access    ed25519.PublicKey // checks the calls that read it or add to it
	Head      seal.Head
	Closed    bool
	Roster    bool // one of circle 0's
	Succeeded bool // a later one of its line is there; the store finds that out, a caller's word is ignored
}

// Keep is which of the programme's shares the stream's envelopes fill.
func (s Stream) Keep() Keep {
	if s.Roster {
		return Roster
	}
	return Content
}

// Entry is one place in a stream.
type Entry struct {
	N    uint64
	ID   [32]byte
	Body []byte
}

// Tombstone is what stands in an envelope's place (seal.Tombstone).
type Tombstone struct {
	Stream seal.StreamID
	N      uint64
	Body   []byte
}

// Streams keeps ordered envelopes.
type Streams interface {
	// CreateStream is idempotent while the stream is empty and equal; otherwise Conflict. With before set the stream
	// follows in its line, and all of the line answer to the new key alone, but for circle 0's, which keep their own;
	// before must be of the same programme, or NotFound.
	CreateStream(ctx context.Context, s Stream, before *seal.StreamID) error
	// Line says that streams of a programme are circle 0's, oldest first, and moves what they hold to that share. Those
	// that are not there or not the programme's are NotFound. Repeating is safe.
	Line(ctx context.Context, programme [16]byte, ids []seal.StreamID) error
	// Stream returns NotFound for an unknown id.
	Stream(ctx context.Context, id seal.StreamID) (Stream, error)
	// Append adds all envelopes or none, in order, after those already there; envelopes that are there already are
	// skipped, so repeating is safe. A wrong ifHead or a closed stream is Conflict, unless everything is there already.
	// More than room bytes in the programme's share is Full. It returns the head after the call.
	Append(ctx context.Context, id seal.StreamID, ifHead *uint64, envelopes [][]byte, room int64) (seal.Head, error)
	// List returns entries after a position in order: at most max bytes of bodies and seal.MaxListed entries, but at
	// least one if there is one.
	List(ctx context.Context, id seal.StreamID, after uint64, max int) ([]Entry, error)
	// Rewind forgets what lies past head, if the stream's chain passes through head. Otherwise it is Conflict, as for a
	// closed stream and for one of the first version, whose start is not known. It is for a relay that was restored
	// from an older backup and was written to since.
	Rewind(ctx context.Context, id seal.StreamID, head seal.Head) error
	// PutTombstones replaces envelopes by what stands for them, all or none: in a closed stream, in the place of the
	// envelope that it names; or as the next of an open one that has a successor in its line, as after a restore.
	// Anything else is Conflict. Repeating is safe.
	PutTombstones(ctx context.Context, puts []Tombstone) error
	// CloseStream refuses appends for ever if the stream ends at head; otherwise Conflict. Repeating is safe.
	CloseStream(ctx context.Context, id seal.StreamID, head seal.Head) error
}

// ReportKeep is how long a report waits for somebody to fetch it, in days.
const ReportKeep = 60

// Box names a box: whose, of what sort, and its id.
type Box struct {
	Programme [16]byte
	Keep      Keep
	ID        [16]byte
}

// Item is one item for a box. Owner is the device that left it (Left; hashed), or the first half of the key that it is
// for (Answers); zero in other sorts.
type Item struct {
	Box   Box
	Owner [16]byte
	Body  []byte
}

// Bound is how much there may be with a new item: Items in its box; OwnerItems and OwnerBytes of its owner in all boxes
// of the programme and sort; Room in the programme's share, in bytes. 0 is no bound, but no room for Room.
type Bound struct {
	Items, OwnerItems int
	OwnerBytes, Room  int64
}

// Boxes keeps small items under unguessable ids until they expire. What one sort keeps another does not see, nor one
// programme what is another's; what is nobody's all of them read (Items).
type Boxes interface {
	// PutItems adds items to boxes, all or none; an item that is there already is kept once, until the new time. More
	// than the bound is Full.
	PutItems(ctx context.Context, items []Item, expires time.Time, b Bound) error
	// SetItems replaces all items of a box. What was there makes room first; more than room bytes in the programme's
	// share is Full.
	SetItems(ctx context.Context, box Box, bodies [][]byte, expires time.Time, room int64) error
	// Items returns the items of a box behind a place that have not expired, oldest first, of one owner if that is not
	// zero: at most max bytes but at least one if there is one. What is nobody's, under the zero programme, every
	// programme reads: slips, whose codes are all that a site knows, and what an earlier version kept without saying
	// whose.
	Items(ctx context.Context, box Box, owner [16]byte, now time.Time, after uint64, max int) ([]seal.Held, error)
	// Holders lists the programmes, the zero one too, under which something lies in a box of a sort and an id.
	Holders(ctx context.Context, k Keep, id [16]byte) ([][16]byte, error)
	// Sweep forgets what has expired, and reports that nobody fetched for ReportKeep.
	Sweep(ctx context.Context, now time.Time) error
}

// Blobs keeps sealed bytes under the hash of their content.
type Blobs interface {
	// PutBlob keeps a blob once: where its id is there, under whichever programme, it changes nothing. More than room
	// bytes in the programme's share is Full.
	PutBlob(ctx context.Context, programme [16]byte, id [32]byte, body []byte, room int64) error
	// Blob returns NotFound for an unknown id or another programme's blob.
	Blob(ctx context.Context, programme [16]byte, id [32]byte) ([]byte, error)
	// DropBlobs forgets blobs of the programme; what is not there is skipped.
	DropBlobs(ctx context.Context, programme [16]byte, ids [][32]byte) error
}

// Doors keeps what programmes publish.
type Doors interface {
	// SetDoor replaces what a programme publishes and which intakes it has. An intake of another programme is Conflict.
	SetDoor(ctx context.Context, programme [16]byte, door []byte, intakes [][16]byte) error
	// Door returns what the programme publishes, or what the first one that publishes does when programme is zero;
	// NotFound when there is nothing.
	Door(ctx context.Context, programme [16]byte) ([]byte, error)
	// Intake returns the programme that has an intake, or NotFound.
	Intake(ctx context.Context, id [16]byte) (programme [16]byte, err error)
}

// Report is something reported to an intake. K rises with every report of a store.
type Report struct {
	K    int64
	Day  krama.Day
	Body []byte
}

// Reports keeps sealed reports until somebody of the programme has them, or for ReportKeep days.
type Reports interface {
	// PutReport keeps a report; one whose bytes are there already, in any intake, is kept once. An intake that no
	// programme has is NotFound, and more than limit reports in it, or room bytes in the programme's share, Full: the
	// oldest stay.
	PutReport(ctx context.Context, intake [16]byte, day krama.Day, body []byte, limit int, room int64) error
	// Reports returns an intake's reports after one, oldest first, at most max bytes but at least one if there is one,
	// and how many there are behind it in all.
	Reports(ctx context.Context, intake [16]byte, after int64, max int) (list []Report, waiting int, err error)
	// DropReports forgets an intake's reports up to and with one, and those whose bytes have one of the SHA-256 sums.
	DropReports(ctx context.Context, intake [16]byte, upTo int64, sums [][32]byte) error
}
