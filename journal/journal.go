// Package journal is one sealed append-only file with atomic commits, the same on disk and in a browser's private
// files. A commit is on stable storage before Commit returns. A torn last commit is dropped; a damaged one in the
// middle is stepped over and reported, so that what came after it is not lost with it.
//
// Layout: 8 bytes magic, 32 bytes file salt, then commits of
// marker(4) ‖ index(8) ‖ length(4) ‖ crc32 of the 16 bytes before(4) ‖ salt(32) ‖ sealed entries.
// The sealed bytes are bound to the file's salt and the commit's index. Entries inside are uvarint length and bytes.
package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// File is what a journal is kept in. One writer holds it at a time.
// A write may be cut anywhere, and is durable after Sync only: the journal counts on nothing more.
type File interface {
	io.ReaderAt
	io.WriterAt
	// Truncate makes a file shorter; the journal asks for nothing else.
	Truncate(size int64) error
	Sync() error
	Size() (int64, error)
	Close() error
}

// Dir is where files are kept, by name.
type Dir interface {
	// Open opens or makes a file for this process alone; ErrBusy when another holds it.
	Open(name string) (File, error)
	// Remove overwrites the head of a file and removes it. A file that is not there is no error.
	Remove(name string) error
}

// Cipher seals commits. A salt is never used twice.
type Cipher interface {
	Seal(salt [32]byte, plaintext, ad []byte) []byte
	// Open fails for another key, salt or ad, and for changed bytes. The journal cannot tell these from each other.
	Open(salt [32]byte, sealed, ad []byte) ([]byte, error)
}

// Errors.
var (
	ErrBusy   = errors.New("journal: in use by another process or tab")
	ErrFull   = errors.New("journal: no room left")
	ErrNot    = errors.New("journal: not a journal, or sealed under another key")
	ErrNewer  = errors.New("journal: written by a later version")
	ErrBroken = errors.New("journal: an earlier write failed; open it again")
)

var magic = [8]byte{'K', 'R', 'A', 'M', 'A', 'J', '1', '\n'}

// newest is the highest digit of the magic that this version reads. A journal has it when its entries say what an
// earlier version would skip to its harm.
const newest = '2'

// Sizes in bytes. sealedMore is what a cipher adds; maxCommit bounds the memory that a length in a damaged mark could
// ask for.
const (
	headSize   = 8 + 32
	markSize   = 20
	commitHead = markSize + 32
	maxCommit  = 64 << 20
	sealedMore = 16
)

var marker = [4]byte{0xC0, 'k', 'j', 0x01}

// Report says what opening found.
type Report struct {
	Commits int
	Torn    int64 // bytes of an unfinished last commit, dropped
	Damaged int   // stretches that could not be read, stepped over
}

// Journal is an open journal. It is not safe for concurrent use.
// end is where the next commit goes, behind the last one read or flushed, and next is its index. broken stays once it
// is set: what the file holds is not known then.
type Journal struct {
	f      File
	c      Cipher
	rand   io.Reader
	salt   [32]byte
	end    int64
	next   uint64
	broken error
}

// Open reads f from the start and hands every entry to each, in order; damaged tells that something before it was lost.
// An entry is the caller's, and holds the memory of the commit it stood in. An empty file becomes a new journal.
func Open(f File, c Cipher, rand io.Reader, each func(entry []byte, damaged bool) error) (*Journal, Report, error) {
	j := &Journal{f: f, c: c, rand: rand}
	var rep Report
	size, err := f.Size()
	if err != nil {
		return nil, rep, fmt.Errorf("journal: size: %w", err)
	}
	// A commit comes after the head was flushed: where the head is not whole, nothing was ever kept.
	if size < headSize {
		return j, rep, j.create()
	}
	var head [headSize]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return nil, rep, fmt.Errorf("journal: read: %w", err)
	}
	digit := head[6]
	switch ours := bytes.Equal(head[:6], magic[:6]) && head[7] == magic[7]; {
	case ours && digit > newest && digit <= '9':
		return nil, rep, ErrNewer
	case !ours || digit < magic[6] || digit > newest:
		return nil, rep, ErrNot
	}
	copy(j.salt[:], head[8:])
	r := reader{f: f, size: size, at: headSize}
	j.end = headSize
	for r.at < size {
		n, pt, ok := j.read(&r)
		if !ok {
			// A torn end, damage, or another key. whole says that the file has every byte which the mark promises.
			start := r.at
			_, length, marked := r.mark()
			whole := marked && r.bytes(markSize, 32+length) != nil
			found := r.err == nil && j.seek(&r)
			if r.err != nil {
				return nil, rep, fmt.Errorf("journal: read: %w", r.err)
			}
			if !found && whole && rep.Commits == 0 {
				return nil, rep, ErrNot // no torn write but another key: nothing may be cut off
			}
			if !found {
				rep.Torn = size - start
				break
			}
			rep.Damaged++
			continue
		}
		for len(pt) > 0 {
			l, w := binary.Uvarint(pt)
			// Lengths that do not fit were sealed so: no damage of the disk looks like this.
			if w <= 0 || l > uint64(len(pt)-w) {
				return nil, rep, ErrNot
			}
			if err := each(pt[w:w+int(l):w+int(l)], rep.Damaged > 0); err != nil {
				return nil, rep, err
			}
			pt = pt[w+int(l):]
		}
		rep.Commits++
		j.next = n + 1
		j.end = r.at
	}
	// The next commit begins where the torn one did. Its rest would stand behind and be taken for damage.
	if rep.Torn > 0 {
		if err := f.Truncate(j.end); err != nil {
			return nil, rep, fmt.Errorf("journal: truncate: %w", err)
		}
		if err := f.Sync(); err != nil {
			return nil, rep, fmt.Errorf("journal: sync: %w", err)
		}
	}
	return j, rep, nil
}

// create begins a file. Its head is flushed before a commit can follow.
func (j *Journal) create() error {
	if _, err := io.ReadFull(j.rand, j.salt[:]); err != nil {
		return fmt.Errorf("journal: random: %w", err)
	}
	if err := j.f.Truncate(0); err != nil {
		return fmt.Errorf("journal: truncate: %w", err)
	}
	if _, err := j.f.WriteAt(append(magic[:], j.salt[:]...), 0); err != nil {
		return fmt.Errorf("journal: write: %w", err)
	}
	if err := j.f.Sync(); err != nil {
		return fmt.Errorf("journal: sync: %w", err)
	}
	j.end = headSize
	return nil
}

// reader reads a file through a window, so that a million small commits are not a million reads.
// buf holds the file from base on; bytes counts from at.
type reader struct {
	f    File
	size int64
	at   int64
	buf  []byte
	base int64
	err  error // a read that failed: what lies there is not known, so nothing may be cut off
}

// window is how much is read at once, unless a commit is larger.
const window = 1 << 20

// bytes returns n bytes at the reader's position, or nil at the end of the file.
func (r *reader) bytes(off int64, n int) []byte {
	from := r.at + off
	if from+int64(n) > r.size {
		return nil
	}
	if from < r.base || from+int64(n) > r.base+int64(len(r.buf)) {
		want := max(int64(n), min(window, r.size-from))
		if int64(cap(r.buf)) < want {
			r.buf = make([]byte, want)
		}
		r.buf = r.buf[:want]
		// Reading up to the end may say so though all bytes came.
		if m, err := r.f.ReadAt(r.buf, from); err != nil && !(errors.Is(err, io.EOF) && int64(m) == want) {
			r.buf, r.err = r.buf[:0], err
			return nil
		}
		r.base = from
	}
	return r.buf[from-r.base : from-r.base+int64(n)]
}

// mark reads a commit's mark at the reader's position.
func (r *reader) mark() (index uint64, length int, ok bool) {
	m := r.bytes(0, markSize)
	if m == nil || [4]byte(m[:4]) != marker || crc32.ChecksumIEEE(m[:16]) != binary.BigEndian.Uint32(m[16:]) {
		return 0, 0, false
	}
	length = int(binary.BigEndian.Uint32(m[12:]))
	return binary.BigEndian.Uint64(m[4:]), length, length >= sealedMore && length <= maxCommit
}

// read opens the commit at the reader's position and moves over it.
func (j *Journal) read(r *reader) (index uint64, pt []byte, ok bool) {
	index, length, ok := r.mark()
	// Below the next it was moved or is repeated. Above it, what lay between was lost.
	if !ok || index < j.next {
		return 0, nil, false
	}
	b := r.bytes(markSize, 32+length)
	if b == nil {
		return 0, nil, false
	}
	pt, err := j.c.Open([32]byte(b[:32]), b[32:], j.ad(index))
	if err != nil {
		return 0, nil, false
	}
	r.at += int64(commitHead + length)
	return index, pt, true
}

// seek moves the reader to the next commit that opens.
func (j *Journal) seek(r *reader) bool {
	for at := r.at + 1; at+commitHead <= r.size; {
		r.at = at
		chunk := r.bytes(0, int(min(window/2, r.size-at)))
		if chunk == nil {
			return false
		}
		i := bytes.Index(chunk, marker[:])
		if i < 0 {
			// A marker may begin in the last three bytes of this chunk.
			at += int64(max(1, len(chunk)-3))
			continue
		}
		at += int64(i)
		r.at = at
		if _, _, ok := j.read(r); ok {
			r.at = at
			return true
		}
		// Four bytes that only look like a marker: sealed bytes may hold them by chance.
		at++
	}
	return false
}

// ad binds a commit to its file and to its place in it. The salt is sliced without room behind it, so that every call
// gets bytes of its own.
func (j *Journal) ad(index uint64) []byte {
	return binary.BigEndian.AppendUint64(j.salt[:len(j.salt):len(j.salt)], index)
}

// Commit appends entries, all or none, and returns when they are on stable storage. After a failed write the journal is
// as before and may be used on; after a failed flush nobody knows, so the journal refuses until it is opened again.
func (j *Journal) Commit(entries ...[]byte) error {
	if j.broken != nil {
		return ErrBroken
	}
	size := 0
	for _, e := range entries {
		size += binary.MaxVarintLen32 + len(e)
	}
	pt := make([]byte, 0, size)
	for _, e := range entries {
		pt = binary.AppendUvarint(pt, uint64(len(e)))
		pt = append(pt, e...)
	}
	if len(pt)+sealedMore > maxCommit {
		return fmt.Errorf("journal: a commit of %d bytes", len(pt))
	}
	var salt [32]byte
	if _, err := io.ReadFull(j.rand, salt[:]); err != nil {
		return fmt.Errorf("journal: random: %w", err)
	}
	sealed := j.c.Seal(salt, pt, j.ad(j.next))
	b := make([]byte, 0, commitHead+len(sealed))
	b = append(b, marker[:]...)
	b = binary.BigEndian.AppendUint64(b, j.next)
	b = binary.BigEndian.AppendUint32(b, uint32(len(sealed)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, salt[:]...), sealed...)
	// A write that failed may have left a part. It goes, so that the next commit stands where this one would have.
	if _, err := j.f.WriteAt(b, j.end); err != nil {
		if e := j.f.Truncate(j.end); e != nil {
			j.broken = e
		}
		return fmt.Errorf("journal: write: %w", err)
	}
	if err := j.f.Sync(); err != nil {
		j.broken = err
		return fmt.Errorf("journal: sync: %w", err)
	}
	j.end += int64(len(b))
	j.next++
	return nil
}

// Newest has versions that read no journals of the newest digit refuse this one, from the next flush on.
func (j *Journal) Newest() error {
	if _, err := j.f.WriteAt([]byte{newest}, int64(len(magic)-2)); err != nil {
		return fmt.Errorf("journal: write: %w", err)
	}
	return nil
}

// Size returns the journal's length in bytes.
func (j *Journal) Size() int64 { return j.end }

// Close closes the file.
func (j *Journal) Close() error {
	j.broken = ErrBroken
	return j.f.Close()
}
