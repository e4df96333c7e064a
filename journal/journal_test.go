package journal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"testing"
)

// testCipher is an authenticated cipher of the standard library; the real one is seal.Local.
type testCipher struct{ key [32]byte }

func (c testCipher) gcm(salt [32]byte) cipher.AEAD {
	k := sha256.Sum256(append(c.key[:], salt[:]...))
	b, _ := aes.NewCipher(k[:])
	g, _ := cipher.NewGCM(b)
	return g
}

func (c testCipher) Seal(salt [32]byte, pt, ad []byte) []byte {
	return c.gcm(salt).Seal(nil, make([]byte, 12), pt, ad)
}

func (c testCipher) Open(salt [32]byte, ct, ad []byte) ([]byte, error) {
	return c.gcm(salt).Open(nil, make([]byte, 12), ct, ad)
}

func load(t *testing.T, d *MemDir) (*Journal, []string, Report, error) {
	t.Helper()
	d.Crash()
	f, err := d.Open("j")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	j, rep, err := Open(f, testCipher{}, rand.Reader, func(e []byte, _ bool) error {
		got = append(got, string(e))
		return nil
	})
	return j, got, rep, err
}

func fill(t *testing.T, n int) (*MemDir, []string) {
	t.Helper()
	d := &MemDir{}
	j, _, _, err := load(t, d)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range n {
		a, b := fmt.Sprintf("entry %d", i), fmt.Sprintf("and %d", i)
		if err := j.Commit([]byte(a), []byte(b)); err != nil {
			t.Fatal(err)
		}
		want = append(want, a, b)
	}
	return d, want
}

func TestReopen(t *testing.T) {
	d, want := fill(t, 50)
	j, got, rep, err := load(t, d)
	if err != nil || !slices.Equal(got, want) || rep.Torn != 0 || rep.Damaged != 0 {
		t.Fatalf("%d entries, %+v, %v", len(got), rep, err)
	}
	if err := j.Commit([]byte("more")); err != nil {
		t.Fatal(err)
	}
	if _, got, _, _ := load(t, d); len(got) != len(want)+1 {
		t.Errorf("got %d entries want %d", len(got), len(want)+1)
	}
}

// TestTornAtEveryByte cuts the file at each length: every commit that was whole is there, nothing else is.
func TestTornAtEveryByte(t *testing.T) {
	d, want := fill(t, 6)
	whole := bytes.Clone(d.File("j").Data)
	for cut := headSize; cut < len(whole); cut++ {
		d.File("j").Data = bytes.Clone(whole[:cut])
		j, got, _, err := load(t, d)
		if err != nil || len(got)%2 != 0 || !slices.Equal(got, want[:len(got)]) {
			t.Fatalf("cut at %d: %q %v", cut, got, err)
		}
		if err := j.Commit([]byte("x"), []byte("y")); err != nil {
			t.Fatal(err)
		}
		if _, again, rep, err := load(t, d); err != nil || len(again) != len(got)+2 || rep.Torn != 0 ||
			rep.Damaged != 0 {
			t.Fatalf("cut at %d, after a new commit: %d entries want %d, %+v", cut, len(again), len(got)+2, rep)
		}
	}
}

// TestRotAtEveryByte flips a bit in each byte: at most the commit that holds it is lost, and it is reported.
func TestRotAtEveryByte(t *testing.T) {
	d, want := fill(t, 5)
	whole := bytes.Clone(d.File("j").Data)
	for at := headSize; at < len(whole); at++ {
		b := bytes.Clone(whole)
		b[at] ^= 0x10
		d.File("j").Data = b
		_, got, rep, err := load(t, d)
		if err != nil || len(got) != len(want)-2 || (rep.Damaged == 0) == (rep.Torn == 0) {
			t.Fatalf("flip at %d: %d entries, %+v, %v", at, len(got), rep, err)
		}
		for _, g := range got {
			if !slices.Contains(want, g) {
				t.Fatalf("flip at %d: a wrong entry %q", at, g)
			}
		}
	}
	d.File("j").Data = append([]byte("NOTAJRNL"), whole[8:]...)
	if _, _, _, err := load(t, d); !errors.Is(err, ErrNot) {
		t.Errorf("another magic: %v", err)
	}
}

// TestAnotherKeyCutsNothingOff opens journals that this program cannot read: a later version's, and one sealed under a
// key that is not the one at hand. Neither may be taken for a torn write and truncated.
func TestAnotherKeyCutsNothingOff(t *testing.T) {
	for n := 1; n < 4; n++ {
		d, _ := fill(t, n)
		whole := bytes.Clone(d.File("j").Data)
		d.Crash()
		f, _ := d.Open("j")
		if _, _, err := Open(f, testCipher{[32]byte{1}}, rand.Reader, func([]byte, bool) error {
			return nil
		}); !errors.Is(err, ErrNot) {
			t.Errorf("%d commits, another key: %v", n, err)
		}
		if !bytes.Equal(d.File("j").Data, whole) {
			t.Fatalf("%d commits, another key: the file was changed", n)
		}
		copy(d.File("j").Data, "KRAMAJ3\n")
		whole = bytes.Clone(d.File("j").Data)
		if _, _, _, err := load(t, d); !errors.Is(err, ErrNewer) {
			t.Errorf("a later version: %v", err)
		}
		if !bytes.Equal(d.File("j").Data, whole) {
			t.Fatal("a later version's file was changed")
		}
	}
}

func TestCommitsCannotBeMovedOrRepeated(t *testing.T) {
	d, want := fill(t, 3)
	b := d.File("j").Data
	size := (len(b) - headSize) / 3
	one, two, three := b[headSize:headSize+size], b[headSize+size:headSize+2*size], b[headSize+2*size:]
	for name, order := range map[string][][]byte{"swapped": {two, one, three}, "repeated": {one, one, two, three}} {
		d.File("j").Data = slices.Concat(b[:headSize], slices.Concat(order...))
		_, got, _, err := load(t, d)
		if err != nil || len(got) > len(want) || !slices.IsSorted(index(want, got)) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestCommitsAreOfTheirPlace: whoever can write to the disk, and not seal, puts a true commit at another number or into
// another file of the same key. Nothing of it is taken.
func TestCommitsAreOfTheirPlace(t *testing.T) {
	d, _ := fill(t, 2)
	b := d.File("j").Data
	size := (len(b) - headSize) / 2
	moved := bytes.Clone(b[headSize+size:]) // the second, called the third
	binary.BigEndian.PutUint64(moved[4:], 2)
	binary.BigEndian.PutUint32(moved[16:], crc32.ChecksumIEEE(moved[:16]))
	other, _ := fill(t, 3)
	o := other.File("j").Data
	foreign := o[headSize+2*((len(o)-headSize)/3):]
	for name, more := range map[string][]byte{"at another number": moved, "of another file": foreign} {
		d.File("j").Data = slices.Concat(b, more)
		if _, got, _, err := load(t, d); len(got) != 4 {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// half writes half of what it is given and then fails, as a disk does that has no room.
type half struct{ *MemFile }

func (h half) WriteAt(b []byte, off int64) (int, error) {
	if off > headSize {
		n, _ := h.MemFile.WriteAt(b[:len(b)/2], off)
		return n, ErrFull
	}
	return h.MemFile.WriteAt(b, off)
}

// TestHalfACommitIsCutOff: after a write that failed half way the file is as before, so that the next commit stands
// where it should.
func TestHalfACommitIsCutOff(t *testing.T) {
	d, want := fill(t, 2)
	d.Crash()
	f, _ := d.Open("j")
	j, _, err := Open(half{f.(*MemFile)}, testCipher{}, rand.Reader, func([]byte, bool) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	before := len(d.File("j").Data)
	if err := j.Commit([]byte("lost")); !errors.Is(err, ErrFull) {
		t.Fatalf("half a write: %v", err)
	}
	if n := len(d.File("j").Data); n != before {
		t.Errorf("the file has %d bytes, before %d", n, before)
	}
	if _, got, rep, _ := load(t, d); !slices.Equal(got, want) || rep.Torn != 0 {
		t.Errorf("%q, %+v", got, rep)
	}
}

func index(all, some []string) (out []int) {
	for _, s := range some {
		out = append(out, slices.Index(all, s))
	}
	return out
}

func TestFullThenFreed(t *testing.T) {
	d, want := fill(t, 3)
	j, _, _, _ := load(t, d)
	d.Fault = func(op string, n int) error { return ErrFull }
	if err := j.Commit([]byte("lost")); !errors.Is(err, ErrFull) {
		t.Errorf("a full disk: %v", err)
	}
	d.Fault = nil
	if err := j.Commit([]byte("kept")); err != nil {
		t.Errorf("after room was made: %v", err)
	}
	if _, got, rep, _ := load(t, d); !slices.Equal(got, append(want, "kept")) || rep.Torn != 0 {
		t.Errorf("%q %+v", got, rep)
	}
}

func TestFailedFlushStopsTheJournal(t *testing.T) {
	d, _ := fill(t, 1)
	j, _, _, _ := load(t, d)
	d.Fault = func(op string, n int) error {
		if op == "sync" {
			return errors.New("input/output error")
		}
		return nil
	}
	if err := j.Commit([]byte("x")); err == nil {
		t.Error("a failed flush was called saved")
	}
	d.Fault = nil
	if err := j.Commit([]byte("y")); !errors.Is(err, ErrBroken) {
		t.Errorf("after a failed flush: %v", err)
	}
}

// unreadable fails to read one stretch, as a bad sector does.
type unreadable struct {
	*MemFile
	from, to int64
}

func (u unreadable) ReadAt(b []byte, off int64) (int, error) {
	if off < u.to && off+int64(len(b)) > u.from {
		return 0, errors.New("input/output error")
	}
	return u.MemFile.ReadAt(b, off)
}

func TestReadErrorCutsNothingOff(t *testing.T) {
	d, _ := fill(t, 5)
	before := len(d.File("j").Data)
	u := unreadable{d.File("j"), int64(before / 2), int64(before/2 + 10)}
	if _, _, err := Open(u, testCipher{}, rand.Reader, func([]byte, bool) error { return nil }); err == nil {
		t.Error("an unreadable file opened")
	}
	if len(d.File("j").Data) != before {
		t.Error("an unreadable file was cut")
	}
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte("KRAMAJ1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &MemDir{}
		file, _ := d.Open("j")
		file.WriteAt(b, 0)
		if j, _, err := Open(file, testCipher{}, rand.Reader, func([]byte, bool) error { return nil }); err == nil {
			if err := j.Commit([]byte("x")); err != nil {
				t.Error(err)
			}
		}
	})
}
