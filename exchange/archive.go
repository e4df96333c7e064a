// Package exchange writes the files that leave a programme: one file per neighbour. The archive is the whole programme
// as one sealed page that opens without Krama.
package exchange

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"io"
	"strings"

	"krama"
)

// Sealing uses what every browser has built in: PBKDF2-HMAC-SHA256 and AES-256-GCM of WebCrypto. Argon2id and
// ChaCha20-Poly1305, which guard the vault, are in no browser, and a page that carried its own would be longer than it
// is now and slower than both. PBKDF2 is the weaker defence of a weak secret; the secret here is not weak: six drawn
// words are 77 bits, which no number of guesses a second reaches.
const (
	// A reader takes any number between the bounds, so that a later version can write more without being refused by
	// this one.
	Iterations    = 1_000_000  // written
	minIterations = 600_000    // OWASP Password Storage Cheat Sheet, 2023, for PBKDF2-HMAC-SHA256
	maxIterations = 10_000_000 // a reader must not be kept busy for ever
	PhraseWords   = 6

	// chunkSize is how much of the plaintext is sealed at a time, in bytes: what whoever reads an archive must hold of
	// it. maxPage bounds what may stand before the archive's first line, so that a file of another kind is not read to
	// its end. page.js has chunkSize, tagSize and the bounds of the iterations too.
	chunkSize  = 1 << 20
	headerSize = 1 + 4 + 16 + 4 + 4 + sha256.Size + tagSize
	tagSize    = 16
	magic      = "KRAMA-ARCHIVE 1\n"
	ending     = "</script>\n</body>\n</html>\n"
	maxPage    = 1 << 20
)

// Header is what can be read of an archive without its passphrase. Every chunk is bound to it.
type Header struct {
	// The dates can be read by whoever finds a copy: she sees that its time is over. Nothing here says whose it is.
	Iterations uint32
	Salt       [16]byte
	Written    krama.Day
	Destroy    krama.Day         // when this copy must be gone
	Page       [sha256.Size]byte // of the page around the archive, up to its first line
	check      [tagSize]byte     // tells a wrong passphrase from a changed file
}

// bytes is the head as it is sealed along with each chunk.
func (h *Header) bytes() []byte {
	// Order and sizes are those of doc/format.md, section 11.
	b := []byte{1}
	b = binary.BigEndian.AppendUint32(b, h.Iterations)
	b = append(b, h.Salt[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(h.Written))
	b = binary.BigEndian.AppendUint32(b, uint32(h.Destroy))
	b = append(b, h.Page[:]...)
	return append(b, h.check[:]...)
}

// parseHeader reads a head. One of a later version is NotYet.
func parseHeader(b []byte) (h Header, err error) {
	const op = "exchange.parseHeader"
	// The version comes before the length: a later header may have another.
	if len(b) > 0 && b[0] != 1 {
		return h, krama.E(op, krama.NotYet, "an archive of a later version")
	}
	if len(b) != headerSize {
		return h, krama.E(op, krama.Tampered, "the header")
	}
	h.Iterations = binary.BigEndian.Uint32(b[1:])
	h.Salt = [16]byte(b[5:])
	h.Written = krama.Day(binary.BigEndian.Uint32(b[21:]))
	h.Destroy = krama.Day(binary.BigEndian.Uint32(b[25:]))
	h.Page = [sha256.Size]byte(b[29:])
	h.check = [tagSize]byte(b[61:])
	// These are believed before any key is made of the words. Too few rounds would make guessing cheap, too many would
	// keep a reader busy, and a copy without a last day would never have to go.
	if h.Iterations < minIterations || h.Iterations > maxIterations || h.Written <= 0 || h.Destroy <= h.Written ||
		h.Destroy > h.Written+MaxKeepDays {
		return h, krama.E(op, krama.Tampered, "the header")
	}
	return h, nil
}

// Flags end a chunk's nonce, so that no two uses of the key share one.
const (
	flagMore  = 0
	flagLast  = 1
	flagCheck = 2
)

// nonce counts chunks; the last one's differs, so that an archive that was cut is not taken for a whole one.
func nonce(n uint64, flag byte) []byte {
	b := make([]byte, 12)
	binary.BigEndian.PutUint64(b[3:], n)
	b[11] = flag
	return b
}

// phrase makes what people type into what was drawn.
// The page does as much with what is typed into it.
func phrase(s string) string { return strings.Join(strings.Fields(strings.ToLower(s)), " ") }

// aead is the cipher under a passphrase.
func (h *Header) aead(passphrase string) (cipher.AEAD, error) {
	// The salt is of this archive alone: nobody tries a guess on two archives at the price of one.
	key, err := pbkdf2.Key(sha256.New, phrase(passphrase), h.Salt[:], int(h.Iterations), 32)
	if err != nil {
		return nil, krama.Wrap("exchange.aead", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, krama.Wrap("exchange.aead", err)
	}
	return cipher.NewGCM(block)
}

// checkTag is what the passphrase alone decides.
// No chunk has its nonce, so it can stand in the header for everybody to read.
func checkTag(a cipher.AEAD) [tagSize]byte {
	return [tagSize]byte(a.Seal(nil, nonce(0, flagCheck), nil, nil))
}

// sealer writes chunks of what is written to it. It holds one chunk.
type sealer struct {
	// buf and out are used again for each chunk: an archive of any size is written in the memory of one.
	w    io.Writer
	aead cipher.AEAD
	ad   []byte
	n    uint64
	buf  []byte
	out  []byte
}

// newSealer writes the head and begins.
func newSealer(w io.Writer, a cipher.AEAD, h *Header) (*sealer, error) {
	s := &sealer{w: w, aead: a, ad: h.bytes(), buf: make([]byte, 0, chunkSize+tagSize)}
	_, err := io.WriteString(w, magic+base64.StdEncoding.EncodeToString(s.ad)+"\n")
	return s, err
}

// Write gathers bytes, and seals a chunk when more comes than it holds. Its errors are those of the writer below.
func (s *sealer) Write(p []byte) (int, error) {
	all := len(p)
	for len(p) > 0 {
		if len(s.buf) == chunkSize { // only now it is known not to be the last
			if err := s.flush(flagMore); err != nil {
				return 0, err
			}
		}
		n := min(len(p), chunkSize-len(s.buf))
		s.buf, p = append(s.buf, p[:n]...), p[n:]
	}
	return all, nil
}

// flush seals what has gathered.
func (s *sealer) flush(flag byte) error {
	sealed := s.aead.Seal(s.buf[:0], nonce(s.n, flag), s.buf, s.ad)
	s.out = append(base64.StdEncoding.AppendEncode(s.out[:0], sealed), '\n')
	// Before the write, whether or not it succeeds: no number seals two texts.
	s.n, s.buf = s.n+1, s.buf[:0]
	_, err := s.w.Write(s.out)
	return err
}

// Close writes the last chunk.
// A file without it is refused as cut.
func (s *sealer) Close() error { return s.flush(flagLast) }

// opener reads chunks. It gives no byte of a chunk that is not the one that was written there.
type opener struct {
	// It holds one chunk and the next: only what follows a chunk tells whether it is the last.
	lines lines
	aead  cipher.AEAD
	ad    []byte
	n     uint64
	next  []byte // the sealed chunk that comes
	plain []byte
	done  bool
}

// Read opens chunk after chunk.
func (o *opener) Read(p []byte) (int, error) {
	const op = "exchange.opener"
	for len(o.plain) == 0 {
		if o.done {
			return 0, io.EOF
		}
		chunk := o.next
		flag := byte(flagMore)
		// One line further than what is opened. A file that was cut after a whole chunk, and mended at its end, must
		// not pass for a whole one: the last chunk has a flag in its nonce that no other has.
		line, last, err := o.lines.next()
		switch {
		case err != nil:
			return 0, err
		case last:
			flag, o.done = flagLast, true
		default:
			if o.next, err = decode(line); err != nil {
				return 0, err
			}
		}
		// Only the last chunk may be shorter, and none is empty: an archive has one form.
		if len(chunk) <= tagSize || (flag == flagMore && len(chunk) != chunkSize+tagSize) {
			return 0, krama.E(op, krama.Tampered, "a part has another size")
		}
		// In place. Nothing of it is given out before its tag was checked.
		if o.plain, err = o.aead.Open(chunk[:0], nonce(o.n, flag), chunk, o.ad); err != nil {
			return 0, krama.E(op, krama.Tampered, "a part was changed, moved or is missing")
		}
		o.n++
	}
	n := copy(p, o.plain)
	o.plain = o.plain[n:]
	return n, nil
}

// decode reads base64 of which there is one form only.
func decode(line []byte) ([]byte, error) {
	b := make([]byte, base64.StdEncoding.DecodedLen(len(line)))
	// Strict refuses bits that are left over; the length refuses line breaks, which the decoder steps over.
	n, err := base64.StdEncoding.Strict().Decode(b, line)
	if err != nil || base64.StdEncoding.EncodedLen(n) != len(line) {
		return nil, krama.E("exchange.decode", krama.Tampered, "a part is not in its form")
	}
	return b[:n], nil
}

// open reads a page up to its sealed part, and asks key for the key.
func open(r io.Reader, key func(*Header) (cipher.AEAD, error)) (Header, *opener, error) {
	const op = "exchange.Open"
	l := newLines(r)
	page, err := l.page()
	if err != nil {
		return Header{}, nil, err
	}
	line, last, err := l.next()
	if err != nil || last {
		return Header{}, nil, krama.E(op, krama.Tampered, "the header")
	}
	raw, err := decode(line)
	if err != nil {
		return Header{}, nil, err
	}
	h, err := parseHeader(raw)
	if err != nil {
		return h, nil, err
	}
	// A page that somebody changed could catch the words when it is opened in a browser. Here that is found before a
	// key is made of them.
	if page != h.Page {
		return h, nil, krama.E(op, krama.Tampered,
			"the page around the archive was changed: never type the passphrase into it")
	}
	// The first chunk is read before the key is made, which is slow on purpose: a file without one is refused at once.
	o := &opener{lines: l, ad: raw}
	if line, last, err = l.next(); err == nil && !last {
		o.next, err = decode(line)
	} else if err == nil {
		err = krama.E(op, krama.Tampered, "the archive is empty")
	}
	if err != nil {
		return h, nil, err
	}
	if o.aead, err = key(&h); err != nil {
		return h, nil, err
	}
	// A header whose check was changed gets the same answer as wrong words.
	if checkTag(o.aead) != h.check {
		return h, nil, krama.E(op, krama.CannotDecrypt, "not the passphrase of this archive")
	}
	return h, o, nil
}

// seal writes a page and, inside it, what fill writes.
func seal(w io.Writer, page []byte, h Header, key func(*Header) (cipher.AEAD, error),
	fill func(io.Writer) error) error {
	// The header is complete before anything is sealed: each chunk is bound to all of it.
	h.Page = sha256.Sum256(page)
	a, err := key(&h)
	if err != nil {
		return err
	}
	h.check = checkTag(a)
	if _, err := io.Copy(w, bytes.NewReader(page)); err != nil {
		return err
	}
	s, err := newSealer(w, a, &h)
	if err != nil {
		return err
	}
	if err := fill(s); err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	_, err = io.WriteString(w, ending)
	return err
}
