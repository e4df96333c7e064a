package exchange

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"

	"krama"
)

// lines reads the file's lines, each of bounded length, and refuses what does not belong there.
type lines struct{ r *bufio.Reader }

// newLines reads an archive's lines, no longer than a chunk's.
func newLines(r io.Reader) lines {
	return lines{bufio.NewReaderSize(r, base64.StdEncoding.EncodedLen(chunkSize+tagSize)+2)}
}

// page passes over the page and returns its digest.
func (l lines) page() (sum [sha256.Size]byte, err error) {
	const op = "exchange.page"
	d := sha256.New()
	for size := 0; size < maxPage; {
		line, err := l.r.ReadSlice('\n')
		// The file's end, or a line longer than any that an archive has.
		if err != nil {
			break
		}
		// The digest is of what stands before this line.
		if string(line) == magic {
			return [sha256.Size]byte(d.Sum(nil)), nil
		}
		d.Write(line)
		size += len(line)
	}
	return sum, krama.E(op, krama.Invalid, "this file is not an archive")
}

// next returns the next line without its end; last reports that the archive and the file are over.
func (l lines) next() (line []byte, last bool, err error) {
	const op = "exchange.lines"
	line, err = l.r.ReadSlice('\n')
	switch {
	case errors.Is(err, io.EOF):
		return nil, false, krama.E(op, krama.Tampered, "the file is cut short")
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, false, krama.E(op, krama.Tampered, "a part is too long")
	case err != nil:
		return nil, false, krama.Wrap(op, err)
	case line[0] != '<':
		return line[:len(line)-1], false, nil
	}
	// Base64 has no '<': the archive is over. A byte more than the page's end has is read with it, and does not fit.
	rest, err := io.ReadAll(io.LimitReader(l.r, int64(len(ending))))
	if err != nil {
		return nil, false, krama.Wrap(op, err)
	}
	if string(line)+string(rest) != ending {
		return nil, false, krama.E(op, krama.Tampered, "the file's end")
	}
	return nil, true, nil
}
