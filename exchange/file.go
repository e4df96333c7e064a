package exchange

import (
	"bufio"
	"compress/gzip"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"io"

	"krama"
)

// An archive as one file: writing it, and reading it back.

// Write seals everything under a passphrase into one page. It holds one part of it at a time, however large the
// programme.
// After an error what was written is no archive: whoever called removes it.
func Write(w io.Writer, rand io.Reader, passphrase string, x *Export) (Counts, error) {
	key := func(h *Header) (cipher.AEAD, error) { return h.aead(passphrase) }
	return write(w, rand, Iterations, key, x)
}

// write writes an archive with a key that is made from its head.
func write(w io.Writer, rand io.Reader, iterations uint32, key func(*Header) (cipher.AEAD, error),
	x *Export) (Counts, error) {
	if err := x.validate(); err != nil {
		return Counts{}, err
	}
	h := Header{Iterations: iterations, Written: x.Written, Destroy: x.Destroy}
	if _, err := io.ReadFull(rand, h.Salt[:]); err != nil {
		return Counts{}, krama.Wrap("exchange.Write", err)
	}
	page, err := Page()
	if err != nil {
		return Counts{}, err
	}
	// First, because the first line says how many lines of each kind there are.
	n := Count(x.State, x.Written)
	return n, krama.Wrap("exchange.Write", seal(w, page, h, key, func(w io.Writer) error {
		// Before sealing: sealed bytes do not become smaller.
		z := gzip.NewWriter(w)
		b := bufio.NewWriterSize(z, 1<<16)
		if err := x.lines(b, n); err != nil {
			return err
		}
		// What is buffered, then the compressed stream's end. seal writes the last chunk after both.
		if err := b.Flush(); err != nil {
			return err
		}
		return z.Close()
	}))
}

// Read opens an archive and calls line with every line, its kind and its bytes with their line end, which are the
// callee's only during the call. The first is the Info. An error after some lines makes them worth nothing: the file
// was changed.
func Read(r io.Reader, passphrase string, line func(kind string, b []byte) error) (Header, error) {
	return read(r, func(h *Header) (cipher.AEAD, error) { return h.aead(passphrase) }, line)
}

// read opens an archive and gives each line as it comes: nothing of a later one is believed before its chunk was
// checked.
func read(r io.Reader, key func(*Header) (cipher.AEAD, error), line func(kind string, b []byte) error) (Header, error) {
	const op = "exchange.Read"
	h, o, err := open(r, key)
	if err != nil {
		return h, err
	}
	z, err := gzip.NewReader(o)
	if err != nil {
		return h, inside(err)
	}
	in := bufio.NewReaderSize(z, maxLine)
	var info Info
	seen := map[string]int{}
	for {
		b, err := in.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(b) == 0 {
			break
		}
		if err != nil {
			return h, inside(err)
		}
		kind := kindOf(b)
		// The first line tells how the others are to be read. No line is given out before that is known.
		if len(seen) == 0 {
			if kind != "archive" || json.Unmarshal(b, &info) != nil {
				return h, krama.E(op, krama.Tampered, "the first line")
			}
			if info.Version < 1 || info.Version > lineVersion {
				return h, krama.E(op, krama.NotYet, "an archive of a later version")
			}
		}
		seen[kind]++
		if err := line(kind, b); err != nil {
			return h, err
		}
	}
	// The seal shows that no chunk is missing or moved. This finds an archive whose writer left something out.
	if info.Counts != countsOf(seen, info.Counts.LeftOut) {
		return h, krama.E(op, krama.Tampered, "the archive holds another number of lines than it says")
	}
	return h, nil
}
