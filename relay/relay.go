// Package relay is the blind server. It stores opaque bytes in order under random ids for whoever holds the stream's key,
// and cannot tell members apart, circles from each other or a person from a roster. It writes no address and no log.
package relay

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"krama"
	"krama/seal"
)

// Limits bound what one relay gives. Zero fields take the defaults.
type Limits struct {
	Body      int64         // bytes of one request
	ListBytes int           // bytes of envelopes in one answer
	Skew      time.Duration // how far a caller's clock may be off
	Rate      float64       // calls per second and principal
	Burst     float64
	Quota     int64 // bytes stored per programme
	BoxItem   int   // bytes of one mailbox item
	BoxItems  int   // items of one mailbox
	BoxKeep   time.Duration
	DropItem  int
	DropItems int
	DropKeep  time.Duration
	DropRate  float64 // drops per second over all callers: they need no programme
	BoxRate   float64 // mailbox readings per second over all devices
	Blob      int
	Nonces    int // calls remembered against replay
}

// DefaultLimits serve a programme of a few hundred devices on a small machine.
var DefaultLimits = Limits{Body: 4 << 20, ListBytes: 1 << 20, Skew: 10 * time.Minute, Rate: 100, Burst: 400, Quota: 8 << 30,
	BoxItem: 64 << 10, BoxItems: 512, BoxKeep: 90 * 24 * time.Hour, DropItem: 4 << 10, DropItems: 4, DropKeep: time.Hour,
	DropRate: 20, BoxRate: 50, Blob: 3 << 20, Nonces: 1 << 20}

// Relay answers the protocol's calls over a Store.
type Relay struct {
	store  Store
	limit  Limits
	token  []byte // founding a programme needs it
	now    func() time.Time
	start  time.Time
	seen   *seen
	rates  *rates
	work   work
	secret []byte

	OnDoor func() // called after a programme has published; set before serving

	mu   sync.RWMutex
	open map[seal.StreamID]Stream // streams whose key is known; forgotten when a successor takes over their keys
}

// New returns a relay over store. token is what founding a programme needs; an empty one refuses all.
func New(store Store, token string, limit Limits, now func() time.Time) *Relay {
	return &Relay{store: store, limit: limit, token: []byte(token), now: now, start: now(),
		seen: newSeen(limit.Nonces, 2*limit.Skew), rates: newRates(), work: work{spent: newSeen(limit.Nonces, 48*time.Hour)},
		secret: secretOf(token, rand.Reader), open: map[seal.StreamID]Stream{}}
}

var errRefused = krama.E("relay", krama.NotAllowed, "unknown, unsigned, late or repeated call")

// ServeHTTP answers one call. The answer to a refusal never says which check failed.
func (r *Relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", seal.TimeHeader)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Type", "application/octet-stream")
	h.Set(seal.TimeHeader, strconv.FormatInt(r.now().UnixMilli(), 10))
	out, err := r.serve(req)
	if err != nil {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(krama.Status(err))
		io.WriteString(w, krama.KindOf(err).String()+"\n")
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(out)))
	w.Write(out)
}

func (r *Relay) serve(req *http.Request) ([]byte, error) {
	handle, ok := r.calls()[req.URL.Path]
	if !ok && req.URL.Path != seal.PathReport || req.URL.RawQuery != "" {
		return nil, krama.E("relay", krama.NotFound, "")
	}
	if req.Method != http.MethodPost {
		return nil, errRefused
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, r.limit.Body+1))
	if err != nil {
		return nil, krama.E("relay", krama.Invalid, "body")
	}
	if int64(len(body)) > r.limit.Body {
		return nil, krama.E("relay", krama.TooLarge, "")
	}
	if req.URL.Path == seal.PathReport {
		return r.report(req, body)
	}
	call, err := seal.ParseCall(body)
	if err != nil {
		return nil, errRefused
	}
	return handle(req, call)
}

type handler func(*http.Request, *seal.Call) ([]byte, error)

func (r *Relay) calls() map[string]handler {
	return map[string]handler{
		seal.PathFound: r.found, seal.PathCreate: r.create, seal.PathClose: r.close,
		seal.PathAppend: r.append, seal.PathList: r.list,
		seal.PathBoxPut: r.boxPut, seal.PathBoxGet: r.boxGet, seal.PathDropPut: r.dropPut, seal.PathDropGet: r.dropGet,
		seal.PathBlobPut: r.blobPut, seal.PathBlobGet: r.blobGet, seal.PathBlobDrop: r.blobDrop,
		seal.PathRewind: r.rewind, seal.PathTombstone: r.tombstones, seal.PathControl: r.handOver, seal.PathBoxKeep: r.boxKeep,
		seal.PathDoor: r.publish, seal.PathReply: r.reply, seal.PathReports: r.reports, seal.PathReported: r.reported, seal.PathSlips: r.slips,
		seal.PathPepperPut: r.pepperPut, seal.PathPepperGet: r.pepperGet, seal.PathPepperDrop: r.pepperDrop,
	}
}

// admit checks time, signature and repetition, in that order of cost, and charges the principal's rate.
func (r *Relay) admit(call *seal.Call, pub ed25519.PublicKey, path string, rate, burst float64) error {
	now := r.now()
	at := time.UnixMilli(int64(call.MS))
	// Calls from before the start are refused too: what was seen then is forgotten.
	if at.Before(now.Add(-r.limit.Skew)) || at.After(now.Add(r.limit.Skew)) || at.Before(r.start.Truncate(time.Millisecond)) {
		return errRefused
	}
	if !call.Check(pub, path) {
		return errRefused
	}
	if !r.rates.take(call.Principal, now, rate, burst) {
		return krama.E("relay", krama.TooMany, "")
	}
	fresh, room := r.seen.add(call.Nonce, now)
	if !room {
		return krama.E("relay", krama.TooMany, "")
	}
	if !fresh {
		return errRefused
	}
	return nil
}

// stream admits a call signed with a stream's key.
func (r *Relay) stream(req *http.Request, call *seal.Call) (Stream, error) {
	id := seal.StreamID(call.Principal)
	r.mu.RLock()
	s, ok := r.open[id]
	r.mu.RUnlock()
	if !ok {
		r.mu.Lock() // against a successor that changes the key meanwhile
		var err error
		if s, err = r.store.Stream(req.Context(), id); err == nil {
			if len(r.open) >= maxOpen {
				clear(r.open)
			}
			r.open[id] = s
		}
		r.mu.Unlock()
		if krama.KindOf(err) == krama.NotFound {
			return s, errRefused
		} else if err != nil {
			return s, err
		}
	}
	return s, r.admit(call, s.Access, req.URL.Path, r.limit.Rate, r.limit.Burst)
}

// maxOpen bounds the memory of stream keys.
const maxOpen = 100_000

// control admits a call signed with a programme's control key.
func (r *Relay) control(req *http.Request, call *seal.Call) error {
	p, err := r.store.Programme(req.Context(), call.Principal)
	if krama.KindOf(err) == krama.NotFound {
		return errRefused
	} else if err != nil {
		return err
	}
	return r.admit(call, p.Control, req.URL.Path, r.limit.Rate, r.limit.Burst)
}

func (r *Relay) found(req *http.Request, call *seal.Call) ([]byte, error) {
	it, err := seal.ParseItems(call.Payload, -1, ed25519.PublicKeySize)
	if err != nil {
		return nil, err
	}
	pub := ed25519.PublicKey(it[1])
	if seal.ProgrammeID(pub) != call.Principal || len(r.token) == 0 || subtle.ConstantTimeCompare(it[0], r.token) != 1 {
		return nil, errRefused
	}
	if err := r.admit(call, pub, req.URL.Path, r.limit.Rate, r.limit.Burst); err != nil {
		return nil, err
	}
	return nil, r.store.AddProgramme(req.Context(), Programme{call.Principal, pub})
}

func (r *Relay) create(req *http.Request, call *seal.Call) ([]byte, error) {
	if err := r.control(req, call); err != nil {
		return nil, err
	}
	it, err := seal.ParseItems(call.Payload, 16, ed25519.PublicKeySize, 32, -1)
	if err != nil || (len(it[3]) != 0 && len(it[3]) != 16) {
		return nil, krama.E("relay", krama.Invalid, "create")
	}
	s := Stream{ID: seal.StreamID(it[0]), Programme: call.Principal, Access: it[1], Head: seal.Head{H: [32]byte(it[2])}}
	if len(it[3]) == 0 {
		return nil, r.store.CreateStream(req.Context(), s, nil)
	}
	before := seal.StreamID(it[3])
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.store.CreateStream(req.Context(), s, &before); err != nil {
		return nil, err
	}
	clear(r.open)
	return nil, nil
}

// handOver gives the programme to another control key: a removed device knows the old one.
func (r *Relay) handOver(req *http.Request, call *seal.Call) ([]byte, error) {
	if err := r.control(req, call); err != nil {
		return nil, err
	}
	it, err := seal.ParseItems(call.Payload, ed25519.PublicKeySize)
	if err != nil {
		return nil, err
	}
	return nil, r.store.SetControl(req.Context(), call.Principal, it[0])
}

// keepFor is how long a kept mailbox lasts: longer than any programme.
const keepFor = 100 * 365 * 24 * time.Hour

// boxKeep replaces what lies in a mailbox with items that do not expire.
func (r *Relay) boxKeep(req *http.Request, call *seal.Call) ([]byte, error) {
	if err := r.control(req, call); err != nil {
		return nil, err
	}
	it, err := seal.ParseFrame(call.Payload, 1+r.limit.BoxItems)
	if err != nil || len(it) < 1 || len(it[0]) != 16 {
		return nil, krama.E("relay", krama.Invalid, "box")
	}
	for _, item := range it[1:] {
		if len(item) > r.limit.BoxItem {
			return nil, krama.E("relay", krama.TooLarge, "")
		}
	}
	return nil, r.store.SetBox(req.Context(), [16]byte(it[0]), it[1:], r.now().Add(keepFor))
}

// blobDrop forgets blobs of the programme: the old pages of an erasure.
func (r *Relay) blobDrop(req *http.Request, call *seal.Call) ([]byte, error) {
	if err := r.control(req, call); err != nil {
		return nil, err
	}
	it, err := seal.ParseFrame(call.Payload, 4096)
	if err != nil {
		return nil, krama.E("relay", krama.Invalid, "blobs")
	}
	var ids [][32]byte
	for _, b := range it {
		if len(b) != 32 {
			return nil, krama.E("relay", krama.Invalid, "blobs")
		}
		ids = append(ids, [32]byte(b))
	}
	return nil, r.store.DropBlobs(req.Context(), call.Principal, ids)
}

func (r *Relay) append(req *http.Request, call *seal.Call) ([]byte, error) {
	s, err := r.stream(req, call)
	if err != nil {
		return nil, err
	}
	a, err := seal.ParseAppend(call.Payload)
	if err != nil {
		return nil, err
	}
	head, err := r.store.Append(req.Context(), s.ID, a.IfHead, a.Envelopes, r.limit.Quota)
	if err != nil {
		return nil, err
	}
	return head.Marshal(), nil
}

func (r *Relay) list(req *http.Request, call *seal.Call) ([]byte, error) {
	s, err := r.stream(req, call)
	if err != nil {
		return nil, err
	}
	l, err := seal.ParseList(call.Payload)
	if err != nil {
		return nil, err
	}
	entries, err := r.store.List(req.Context(), s.ID, l.After, min(int(l.Max), r.limit.ListBytes))
	if err != nil {
		return nil, err
	}
	now, err := r.store.Stream(req.Context(), s.ID)
	if err != nil {
		return nil, err
	}
	have := map[[32]byte]bool{}
	for _, id := range l.Have {
		have[id] = true
	}
	out := seal.Listing{Head: now.Head}
	for _, e := range entries {
		if have[e.ID] {
			out.Entries = append(out.Entries, e.ID[:])
		} else {
			out.Entries = append(out.Entries, e.Body)
		}
	}
	return out.Marshal(), nil
}

func (r *Relay) boxPut(req *http.Request, call *seal.Call) ([]byte, error) {
	if _, err := r.stream(req, call); err != nil {
		return nil, err
	}
	it, err := seal.ParseFrame(call.Payload, 1024)
	if err != nil || len(it) == 0 || len(it)%2 != 0 {
		return nil, krama.E("relay", krama.Invalid, "box")
	}
	puts := make([]BoxPut, 0, len(it)/2)
	for i := 0; i < len(it); i += 2 {
		if len(it[i]) != 16 {
			return nil, krama.E("relay", krama.Invalid, "box")
		}
		if len(it[i+1]) > r.limit.BoxItem {
			return nil, krama.E("relay", krama.TooLarge, "")
		}
		puts = append(puts, BoxPut{[16]byte(it[i]), it[i+1]})
	}
	return nil, r.store.PutBox(req.Context(), puts, r.now().Add(r.limit.BoxKeep), r.limit.BoxItems)
}

// boxGet is signed by the device whose mailbox it is: the mailbox's id commits to the key, so the relay needs no account.
func (r *Relay) boxGet(req *http.Request, call *seal.Call) ([]byte, error) {
	it, err := seal.ParseItems(call.Payload, ed25519.PublicKeySize, 16, 32)
	if err != nil {
		return nil, err
	}
	pub := ed25519.PublicKey(it[0])
	device := seal.DeviceID(pub, [16]byte(it[1]))
	if [16]byte(device) != call.Principal {
		return nil, errRefused
	}
	if !r.rates.take([16]byte{1}, r.now(), r.limit.BoxRate, 10*r.limit.BoxRate) { // anybody can make such keys: one bucket for all
		return nil, krama.E("relay", krama.TooMany, "")
	}
	if err := r.admit(call, pub, req.URL.Path, 5, 50); err != nil {
		return nil, err
	}
	items, err := r.store.Box(req.Context(), seal.Mailbox(device, [32]byte(it[2])), r.now())
	return seal.Frame(fit(items)...), err
}

// dropPut is signed by the key that the drop's id commits to. Anybody may make one, so drops are few, small and short-lived.
func (r *Relay) dropPut(req *http.Request, call *seal.Call) ([]byte, error) {
	it, err := seal.ParseItems(call.Payload, ed25519.PublicKeySize, -1)
	if err != nil {
		return nil, err
	}
	pub := ed25519.PublicKey(it[0])
	if seal.DropID(pub) != call.Principal {
		return nil, errRefused
	}
	if len(it[1]) > r.limit.DropItem {
		return nil, krama.E("relay", krama.TooLarge, "")
	}
	if !r.rates.take([16]byte{}, r.now(), r.limit.DropRate, 10*r.limit.DropRate) {
		return nil, krama.E("relay", krama.TooMany, "")
	}
	if err := r.admit(call, pub, req.URL.Path, 5, 20); err != nil {
		return nil, err
	}
	return nil, r.store.PutBox(req.Context(), []BoxPut{{call.Principal, it[1]}}, r.now().Add(r.limit.DropKeep), r.limit.DropItems)
}

func (r *Relay) dropGet(req *http.Request, call *seal.Call) ([]byte, error) {
	if _, err := r.stream(req, call); err != nil {
		return nil, err
	}
	it, err := seal.ParseItems(call.Payload, 16)
	if err != nil {
		return nil, err
	}
	items, err := r.store.Box(req.Context(), [16]byte(it[0]), r.now())
	return seal.Frame(fit(items)...), err
}

// boxAnswer bounds the bytes of a mailbox in one answer.
const boxAnswer = 6 << 20

// fit leaves out the largest items of a mailbox that does not fit into one answer: a wrap, which is small, is never hidden
// behind what somebody has piled up.
func fit(items [][]byte) [][]byte {
	size := 0
	for _, it := range items {
		size += len(it) + 4
	}
	if size <= boxAnswer {
		return items
	}
	items = slices.Clone(items)
	slices.SortStableFunc(items, func(a, b []byte) int { return cmp.Compare(len(a), len(b)) })
	for size > boxAnswer {
		size -= len(items[len(items)-1]) + 4
		items = items[:len(items)-1]
	}
	return items
}

func (r *Relay) blobPut(req *http.Request, call *seal.Call) ([]byte, error) {
	s, err := r.stream(req, call)
	if err != nil {
		return nil, err
	}
	it, err := seal.ParseItems(call.Payload, -1)
	if err != nil {
		return nil, err
	}
	if len(it[0]) > r.limit.Blob {
		return nil, krama.E("relay", krama.TooLarge, "")
	}
	id := seal.Hash("blob", it[0])
	return id[:], r.store.PutBlob(req.Context(), s.Programme, id, it[0], r.limit.Quota)
}

func (r *Relay) blobGet(req *http.Request, call *seal.Call) ([]byte, error) {
	s, err := r.stream(req, call)
	if err != nil {
		return nil, err
	}
	it, err := seal.ParseItems(call.Payload, 32)
	if err != nil {
		return nil, err
	}
	return r.store.Blob(req.Context(), s.Programme, [32]byte(it[0]))
}
