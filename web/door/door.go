// Package door is what anybody sees of a programme, without an account, a cookie or a trace: finding help, rights,
// reporting, slips. Every page is made beforehand, for nobody in particular, when the programme publishes or the day
// changes; a request picks one. What is asked travels in the body of a request and never in an address, and every
// answer has the same size, so that who looks at the line or into the browser's history sees a visit and not what it
// was about.
package door

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"krama"
	"krama/directory"
	"krama/guide"
	"krama/guide/rights"
)

// Config is what the public pages are made of.
type Config struct {
	// Nothing in it changes after New. Answer is called by several requests at once.
	Guide   *guide.Guide
	Starter []krama.Listing                                    // shown while the programme has published nothing
	Rights  []rights.Text                                      // shipped drafts
	Load    func(context.Context) ([]byte, error)              // the published door; NotFound while there is none
	Answer  func(context.Context, krama.SlipCode, uint8) error // takes the answer to a slip
	Relay   string                                             // where reports go, as a browser reaches it
	Asset   func(name string) string                           // address of the sealing module and its scripts
	Exit    string                                             // where leaving at once leads
	// folder of recordings by the number of a need: 1.mp3; or ""
	Audio string
	// file that keeps the last door whose pages could be made; or ""
	Last string
	// hears, without content, of a door that was stepped over; or nil
	Tell   func(error)
	Drafts bool // show what nobody has reviewed, under a banner
	Demo   bool
	Now    func() time.Time
}

// Largest is how many bytes a page may have as it travels: what a new connection carries before it waits for an answer.
const Largest = 14_000

// css stands inside every page, and its hash in the policy.
//
//go:embed door.css
var css string

// script is what every page loads, and worker what the pages for reporting load beside it.
//
//go:embed door.js
var script []byte

//go:embed report.js
var worker []byte

// key names a page: which, about which need or topic, for which district, in which language.
type key struct {
	// n is the code of a need, or counts texts, listings or what can be said of a slip. place is 0 for everywhere.
	page  string // two letters
	n     int
	place uint16
	lang  string
}

// String is the page's name in a request: ten characters, so that every request has the same size too.
func (k key) String() string { return fmt.Sprintf("%s%02d%04d%s", k.page, k.n, k.place, k.lang) }

// parseKey reads a page's name. Whether there is such a page shows when it is sent.
func parseKey(s string) (k key, ok bool) {
	if len(s) != 10 {
		return k, false
	}
	n, err1 := strconv.ParseUint(s[2:4], 10, 8)
	d, err2 := strconv.ParseUint(s[4:8], 10, 16)
	return key{s[:2], int(n), uint16(d), s[8:]}, err1 == nil && err2 == nil
}

// blob is a page as it is sent. Both forms have the same size on every page.
type blob struct{ plain, zipped []byte }

// pages are everything that one day and one door give.
type pages struct {
	// Made whole and then only read, so that requests share it without a lock.
	all   map[key]blob
	packs map[string][]byte // by language
	hsds  *hsdsData
	door  *directory.Door
	raw   []byte // as it was published; nil where nothing was
	today krama.Day
	most  int // bytes of the largest page before padding
}

// Door serves the public pages. It is safe for concurrent use and keeps nothing about who asks.
type Door struct {
	// now is replaced whole whenever pages are made. Everything else is as New made it.
	Config
	now     atomic.Pointer[pages]
	csp     string
	scripts map[string][]byte
	mux     *http.ServeMux
}

// hashed names a file by the beginning of its hash.
func hashed(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:8]) }

// scriptPath and workerPath are the addresses of the page's scripts.
func (d *Door) scriptPath() string { return "/door/" + hashed(script) + ".js" }
func (d *Door) workerPath() string { return "/door/" + hashed(worker) + "-w.js" }

// zip compresses a page and, unless extra is below 0, adds two bytes and that many in gzip's own field for what readers
// skip.
func zip(b []byte, extra int) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	// Zeros there cost their length and no more: they are not compressed, so the size is known beforehand.
	if extra >= 0 {
		w.Header.Extra = make([]byte, extra)
	}
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}

// Policy is the content policy of the public pages.
func (d *Door) Policy() string { return d.csp }

// maxForm bounds what a page sends: one field of ten characters, or a slip's code.
const maxForm = 256

// Size is the size of every page as it travels, and of the largest before it was evened out, in bytes.
func (d *Door) Size() (every, largest int) {
	p := d.now.Load()
	// Any of them: all have one size.
	for _, b := range p.all {
		return len(b.zipped), p.most
	}
	return 0, 0
}

// Keys lists the names of every page, as a request says them.
func (d *Door) Keys() (out []string) {
	for k := range d.now.Load().all {
		out = append(out, k.String())
	}
	return out
}
