//go:build js

// Command report is the module that seals a report in the browser of whoever reports, and opens the answers. It makes
// bytes and reads bytes; the page's worker carries them. It is built without fmt and whatever imports it, and without
// records: each costs somebody on a slow line seconds.
package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"syscall/js"

	"krama"
	"krama/seal"
)

// sealer is the state of one visit. It ends with the worker.
// site, day and sigs are what the page carries; day is the proof's, and becomes the relay's where the page is days old.
// sigs are the intakes' keys that sign answers. receipt is nil until digits were drawn or typed. proof is of site and
// day, and is spent with one report.
type sealer struct {
	site    [16]byte
	day     krama.Day
	sigs    []ed25519.PublicKey
	digits  string
	receipt *seal.Receipt
	proof   [seal.WorkSize]byte
}

// main gives the worker its calls, and lives in them until the worker ends.
func main() {
	s := &sealer{}
	f := func(do func([]js.Value) any) js.Func {
		return js.FuncOf(func(_ js.Value, args []js.Value) any { return do(args) })
	}
	js.Global().Set("sealer", map[string]any{
		"start": f(s.start), "receipt": f(s.newReceipt), "work": f(s.work), "seal": f(s.seal),
		"digits": f(func([]js.Value) any { return s.digits }),
		"open":   f(s.open), "look": f(s.look), "read": f(s.read),
	})
	select {}
}

// start takes the site, the day and the intakes' keys that the page carries.
func (s *sealer) start(a []js.Value) any {
	copy(s.site[:], bytesOf(a[0]))
	s.day = krama.Day(a[1].Int())
	sigs := bytesOf(a[2])
	// A key of small order is left out: anybody could sign an answer under it.
	for ; len(sigs) >= ed25519.PublicKeySize; sigs = sigs[ed25519.PublicKeySize:] {
		if key, err := seal.SigKey(sigs[:ed25519.PublicKeySize]); err == nil {
			s.sigs = append(s.sigs, key)
		}
	}
	return nil
}

// newReceipt draws the receipt before anything is typed: deriving its keys takes longest.
func (s *sealer) newReceipt([]js.Value) any {
	d, err := seal.NewReceipt(rand.Reader)
	if err == nil {
		s.digits = d
		s.receipt, err = seal.OpenReceipt(d, s.site)
	}
	return err == nil
}

// work finds the proof of work for a day, or for the page's when it is 0.
func (s *sealer) work(a []js.Value) any {
	if d := a[0].Int(); d > 0 {
		s.day = krama.Day(d)
	}
	p, err := seal.Work(rand.Reader, s.site, s.day)
	s.proof = p
	return err == nil
}

// bytesOf copies bytes of the page.
func bytesOf(v js.Value) []byte {
	b := make([]byte, v.Length())
	js.CopyBytesToGo(b, v)
	return b
}

// array gives bytes to the page.
func array(b []byte) any {
	out := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(out, b)
	return out
}

// seal returns the bytes to post, or the name of what is wrong. Where the intake's id is not that of the keys that the
// page gives, somebody has put another key there: nothing is sealed.
func (s *sealer) seal(a []js.Value) any {
	id, kem := bytesOf(a[0]), bytesOf(a[1])
	// The names are those of the page's sentences; "offline" stands for all that another try may mend.
	if len(id) != 16 || s.receipt == nil {
		return "offline"
	}
	if !seal.IntakeFits([16]byte(id), bytesOf(a[5]), bytesOf(a[6]), kem) {
		return "swapped"
	}
	m := seal.Message{Topic: uint8(a[2].Int()), Place: uint16(a[3].Int()), Text: a[4].String()}
	w, err := seal.SealReport(kem, s.site, [16]byte(id), s.receipt, m)
	if krama.KindOf(err) == krama.TooLarge && err != nil {
		return "long"
	}
	if err != nil {
		return "offline"
	}
	// Head and proof come first on the line: the relay checks them before it reads the report.
	head := seal.ReportHead{Site: s.site, Intake: [16]byte(id), Day: s.day, Proof: s.proof, Size: len(w)}
	return array(append(head.Marshal(), w...))
}

// open takes the receipt that a person has typed.
func (s *sealer) open(a []js.Value) any {
	d, err := seal.ParseReceipt(a[0].String())
	if err == nil {
		s.digits = d
		s.receipt, err = seal.OpenReceipt(d, s.site)
	}
	return err == nil
}

// look makes the call for answers, bound to the relay's session, on a day by its clock.
func (s *sealer) look(a []js.Value) any {
	at, err := seal.ParseSession(bytesOf(a[0]))
	if err != nil {
		return nil
	}
	b, err := s.receipt.Look(rand.Reader, at, s.site, krama.Day(a[1].Int()))
	if err != nil {
		return nil
	}
	return array(b)
}

// read opens what the relay gave: a list of answers, and whether one was signed by nobody of the programme.
func (s *sealer) read(a []js.Value) any {
	b := bytesOf(a[0])
	list := js.Global().Get("Array").New()
	for ; len(b) >= seal.ReplySize; b = b[seal.ReplySize:] {
		// The noise of an empty mailbox does not open, and is passed over like an answer to somebody else.
		r, err := seal.OpenReply(s.receipt, s.site, s.sigs, b[:seal.ReplySize])
		if krama.KindOf(err) == krama.Tampered && err != nil {
			list.Set("forged", true)
		}
		if err != nil {
			continue
		}
		list.Call("push", map[string]any{"day": int(r.Day), "text": r.Text})
	}
	return list
}
