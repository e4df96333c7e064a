package relay

import (
	"context"
	"crypto/ed25519"
	"time"

	"krama"
	"krama/seal"
)

// Store is what the relay keeps. Every write is on stable storage when it returns nil. All methods are safe for concurrent
// use. Errors carry krama.NotFound, Conflict, Full, TooLarge or Internal.
type Store interface {
	Programmes
	Streams
	Boxes
	Blobs
	Doors
	Reports
	Close() error
}

// Programme is a tenant: an opaque id and the key that administers it.
type Programme struct {
	ID      [16]byte
	Control ed25519.PublicKey
}

// Programmes keeps tenants.
type Programmes interface {
	// AddProgramme is idempotent for equal programmes; another key under the same id is Conflict.
	AddProgramme(ctx context.Context, p Programme) error
	// Programme returns NotFound for an unknown id.
	Programme(ctx context.Context, id [16]byte) (Programme, error)
	// SetControl changes the key of a programme; NotFound for an unknown id. Repeating is safe.
	SetControl(ctx context.Context, id [16]byte, control ed25519.PublicKey) error
}

// Stream is the state of one stream.
type Stream struct {
	ID        seal.StreamID
	Programme [16]byte
	Access    ed25519.PublicKey
	Head      seal.Head
	Closed    bool
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
	// CreateStream is idempotent while the stream is empty and equal; otherwise Conflict. With before set, the stream and
	// all that came before it in the same line answer to the new key alone; before must be of the same programme, or NotFound.
	CreateStream(ctx context.Context, s Stream, before *seal.StreamID) error
	// Stream returns NotFound for an unknown id.
	Stream(ctx context.Context, id seal.StreamID) (Stream, error)
	// Append adds all envelopes or none, in order, after those already there; envelopes that are there already are
	// skipped, so repeating is safe. A wrong ifHead or a closed stream is Conflict, unless everything is there already.
	// More than quota bytes in the programme is Full. It returns the head after the call.
	Append(ctx context.Context, id seal.StreamID, ifHead *uint64, envelopes [][]byte, quota int64) (seal.Head, error)
	// List returns entries after a position in order, at most max bytes of bodies but at least one entry if there is one.
	List(ctx context.Context, id seal.StreamID, after uint64, max int) ([]Entry, error)
	// Rewind forgets what lies past head, if the stream's chain passes through it; otherwise Conflict. It is for a relay that
	// was restored from an older backup and was written to since.
	Rewind(ctx context.Context, id seal.StreamID, head seal.Head) error
	// PutTombstones replaces envelopes by what stands for them, all or none: in a closed stream, in the place of the envelope that it
	// names; or as the next of an open one that has a successor in its line, as after a restore. Anything else is Conflict.
	PutTombstones(ctx context.Context, puts []Tombstone) error
	// CloseStream refuses appends for ever if the stream ends at head; otherwise Conflict. Repeating is safe.
	CloseStream(ctx context.Context, id seal.StreamID, head seal.Head) error
}

// ReportKeep is how long a report waits for somebody to fetch it, in days.
const ReportKeep = 60

// Boxes keeps small items under unguessable ids until they expire: wraps for devices, and drops for enrolment.
type Boxes interface {
	// PutBox adds items to boxes, all or none; an item that is there already is kept once, until the new time. More than
	// limit items in a box is Full.
	PutBox(ctx context.Context, puts []BoxPut, expires time.Time, limit int) error
	// SetBox replaces all items of a box.
	SetBox(ctx context.Context, box [16]byte, items [][]byte, expires time.Time) error
	// Box returns the items that have not expired, oldest first.
	Box(ctx context.Context, box [16]byte, now time.Time) ([][]byte, error)
	// Sweep forgets what has expired, and reports that nobody fetched for ReportKeep.
	Sweep(ctx context.Context, now time.Time) error
}

// BoxPut is one item for one box.
type BoxPut struct {
	Box  [16]byte
	Item []byte
}

// Blobs keeps sealed bytes under the hash of their content.
type Blobs interface {
	PutBlob(ctx context.Context, programme [16]byte, id [32]byte, body []byte, quota int64) error
	// Blob returns NotFound for an unknown id or another programme's blob.
	Blob(ctx context.Context, programme [16]byte, id [32]byte) ([]byte, error)
	// DropBlobs forgets blobs of the programme; what is not there is skipped.
	DropBlobs(ctx context.Context, programme [16]byte, ids [][32]byte) error
}

// Doors keeps what programmes publish.
type Doors interface {
	// SetDoor replaces what a programme publishes and which intakes it has. An intake of another programme is Conflict.
	SetDoor(ctx context.Context, programme [16]byte, door []byte, intakes [][16]byte) error
	// Door returns what the programme publishes, or what the first one that publishes does when programme is zero; NotFound when
	// there is nothing.
	Door(ctx context.Context, programme [16]byte) ([]byte, error)
}

// Report is something reported to an intake. K rises with every report of a store.
type Report struct {
	K    int64
	Day  krama.Day
	Body []byte
}

// Reports keeps sealed reports until somebody of the programme has them.
type Reports interface {
	// PutReport keeps a report; one that is there already is kept once. An intake that no programme has is NotFound, and more than
	// limit reports in it Full.
	PutReport(ctx context.Context, intake [16]byte, day krama.Day, body []byte, limit int) error
	// Reports returns an intake's reports after one, oldest first, at most max bytes but at least one if there is one, and how many
	// there are behind it in all.
	Reports(ctx context.Context, intake [16]byte, after int64, max int) (list []Report, waiting int, err error)
	// DropReports forgets an intake's reports up to and with one, and those whose bytes have one of the SHA-256 sums.
	DropReports(ctx context.Context, intake [16]byte, upTo int64, sums [][32]byte) error
}
