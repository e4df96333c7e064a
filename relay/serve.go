package relay

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"krama"
	"krama/seal"
)

// The calls that a relay answers.

// rules is the table of calls: doc/format.md has the same one.
func (r *Relay) rules() map[string]rule {
	l := r.limit
	body := int(l.Body)
	return map[string]rule{
		seal.PathFound:      {byFounder, small, small, r.found},
		seal.PathMembers:    {byControl, 48*MaxMembers + small, small, r.members},
		seal.PathControl:    {byControl, small, small, r.handOver},
		seal.PathCreate:     {byControl, small, small, r.create},
		seal.PathLine:       {byControl, 1 << 18, small, r.line},
		seal.PathClose:      {byControl, small, small, r.close},
		seal.PathRewind:     {byControl, small, small, r.rewind},
		seal.PathTombstone:  {byControl, 1 << 16, small, r.tombstones},
		seal.PathAppend:     {byNewest, body, small, r.append},
		seal.PathRestore:    {byControl, body, small, r.restore},
		seal.PathList:       {byReader, small, l.ListBytes, r.list},
		seal.PathBoxPut:     {byControl, body, small, r.boxPut},
		seal.PathBoxKeep:    {byControl, body, small, r.boxKeep},
		seal.PathBoxGet:     {byDevice, small, page, r.boxGet},
		seal.PathDropPut:    {byDrop, l.DropItem + small, small, r.dropPut},
		seal.PathDropGet:    {byControl, small, small + l.DropItems*l.DropItem, r.dropGet},
		seal.PathLeavePut:   {byDevice, body, small, r.leavePut},
		seal.PathLeaveMine:  {byDevice, small, page, r.leaveMine},
		seal.PathLeaveGet:   {byControl, small, page, r.leaveGet},
		seal.PathBlobPut:    {byControl, l.Blob + small, small, r.blobPut},
		seal.PathBlobGet:    {byNewest, small, l.Blob, r.blobGet},
		seal.PathBlobDrop:   {byControl, 36*4096 + small, small, r.blobDrop},
		seal.PathDoor:       {byControl, seal.MaxDoor + small, small, r.publish},
		seal.PathDoorGet:    {bySite, small, seal.MaxDoor, r.doorGet},
		seal.PathAnswerPut:  {byNewest, small, small, r.answerPut},
		seal.PathReply:      {byReceipt, small, seal.Replies * seal.ReplySize, r.reply},
		seal.PathReports:    {byNewest, small, page, r.reports},
		seal.PathReported:   {byNewest, 32*seal.MaxReported + small, small, r.reported},
		seal.PathSlip:       {bySite, small, small, r.slip},
		seal.PathSlips:      {byNewest, small, 64 << 10, r.slips},
		seal.PathPepperPut:  {byDevice, small, small, r.pepperPut},
		seal.PathPepperGet:  {byWords, 0, small, r.pepperGet},
		seal.PathPepperDrop: {byControl, 20*4096 + small, small, r.pepperDrop},
		seal.PathPart:       {byAny, partMax + small, small, r.part},
	}
}

// ServeHTTP answers one call. The answer to a refusal never says which check failed; it carries the session, because a
// call that is bound to another one is the refusal that callers mend by themselves.
func (r *Relay) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", seal.TimeHeader)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Type", "application/octet-stream")
	h["Date"] = nil // the next one says it in milliseconds; every byte is paid for on a bad line
	h.Set(seal.TimeHeader, strconv.FormatInt(r.now().UnixMilli(), 10))
	l := &line{w: w, req: req}
	out, done, err := r.serve(l)
	defer done()
	if err != nil {
		// Of a refused call no more than 256 KiB are read, by net/http and within the time for a head: who sends little
		// hears the answer.
		if krama.KindOf(err) == krama.NotAllowed {
			out = r.Session().Marshal()
		} else {
			h.Set("Content-Type", "text/plain; charset=utf-8")
			out = []byte(krama.KindOf(err).String() + "\n")
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(out)))
	// where there is a line; else it is an error
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(slack(len(out))))
	if err != nil {
		w.WriteHeader(krama.Status(err))
	}
	w.Write(out)
}

// serve answers one call; done is called when the answer was written.
func (r *Relay) serve(l *line) (out []byte, done func(), err error) {
	done = func() {}
	req, path := l.req, l.req.URL.Path
	rule, known := r.calls[path]
	switch {
	case strings.HasPrefix(path, seal.OldPaths) && req.URL.RawQuery == "":
		return nil, done, krama.E("relay", krama.NotYet, "a device of the first version")
	case path == seal.PathHello && req.Method == http.MethodPost:
		return r.Session().Marshal(), done, nil
	case !known && path != seal.PathReport && path != seal.PathHello || req.URL.RawQuery != "":
		return nil, done, krama.E("relay", krama.NotFound, "")
	case req.Method != http.MethodPost:
		return nil, done, errRefused
	}
	if path == seal.PathReport {
		out, err := r.report(l)
		return out, done, err
	}
	return r.admit(l, path, rule)
}
