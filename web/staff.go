package web

import (
	"context"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"krama"
	"krama/replica"
	"krama/seal"
	"krama/web/http"
)

// staffRoutes registers what an office does about people, keys and loss. A phone's program does not carry them.
func (s *Server) staffRoutes() {
	o := s.open
	o.HandleFunc("GET /job", on(staffPages.jobPage))
	o.HandleFunc("GET /device/{id}", on(staffPages.device))
	o.HandleFunc("POST /device/{id}/remove", on(staffPages.deviceRemove))
	o.HandleFunc("GET /device/{id}/after", on(staffPages.deviceAfter))
	o.HandleFunc("POST /device/{id}/trust", on(staffPages.deviceTrust))
	o.HandleFunc("POST /device/{id}/roles", on(staffPages.deviceRoles))
	o.HandleFunc("POST /device/{id}/leave", on(staffPages.memberRemove))
	o.HandleFunc("POST /rotate", on(staffPages.rotateNow))
	o.HandleFunc("GET /roster", on(staffPages.rosterPage))
	o.HandleFunc("GET /mail", on(staffPages.mailPage))
	o.HandleFunc("POST /mail/{id}", on(staffPages.mailDecide))
	o.HandleFunc("GET /trustees", on(staffPages.trusteesPage))
	o.HandleFunc("POST /trustees", on(staffPages.trusteesSet))
	o.HandleFunc("POST /trustees/drill", on(staffPages.trusteesDrill))
	o.HandleFunc("POST /trustees/accept", on(staffPages.trusteesAccept))
	o.HandleFunc("GET /erasures", on(staffPages.erasuresPage))
	o.HandleFunc("POST /erasures/{circle}/{id}", on(staffPages.erasureDecide))
	o.HandleFunc("GET /repair", on(staffPages.repairPage))
	o.HandleFunc("POST /repair", on(staffPages.repairNow))
}

// begin starts a job unless one is running, and shows its page.
func (s staffPages) begin(w http.ResponseWriter, r *http.Request, title, next string, do func(context.Context,
	func(done, total int)) error) {
	s.mu.Lock()
	if !s.job.running {
		// While one runs another is not begun: whoever asks sees how far the first is, and asks again.
		s.job = job{running: true, title: title, next: next}
		go func() {
			// It goes on when the browser is closed: an act that stops halfway has to be taken up again.
			ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
			defer cancel()
			err := do(ctx, func(done, total int) { s.mu.Lock(); s.job.done, s.job.total = done, total; s.mu.Unlock() })
			s.mu.Lock()
			s.job.running, s.job.err = false, err
			s.mu.Unlock()
		}()
	}
	s.mu.Unlock()
	redirect(w, r, "/job")
}

// jobPage shows how far an act of the office has come, and leads on when it is done.
func (s staffPages) jobPage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	j := s.job
	s.mu.Unlock()
	// No act since the program began.
	if j.title == "" {
		redirect(w, r, "/devices")
		return
	}
	if !j.running && j.err == nil {
		redirect(w, r, j.next)
		return
	}
	s.page(w, r, 200, j.title, "devices", jobView(j, jobError(j.err)))
}

// deviceID finds the device that an address names; else it answers that there is none.
func (s staffPages) deviceID(w http.ResponseWriter, r *http.Request) (id krama.DeviceID, ok bool) {
	b, err := hex.DecodeString(r.PathValue("id"))
	if err == nil && len(b) == 16 {
		id = krama.DeviceID(b)
		s.rep.Roster(func(ro *seal.Roster) { ok = ro.Devices[id] != nil })
	}
	if !ok {
		s.notFound(w, r)
	}
	return id, ok
}

// exposure is a device and what it can open: who is worried about if it is lost.
func (s staffPages) exposure(id krama.DeviceID) (d deviceData) {
	// From the same rows as the list, so that the two pages never say different things of one device.
	rows, _ := s.deviceRows()
	for _, r := range rows {
		if r.ID == id {
			d.deviceRow = r
		}
	}
	d.Exposure = s.office.ExposureOf(id, d.Circles, d.Removed)
	return d
}

// device shows a device and what can be done about it.
func (s staffPages) device(w http.ResponseWriter, r *http.Request) {
	if id, ok := s.deviceID(w, r); ok {
		s.page(w, r, 200, "staff.device", "devices", deviceView(s.exposure(id)))
	}
}

// deviceRemove removes a device. What it can open counts as known to whoever has it, from the day it was given.
func (s staffPages) deviceRemove(w http.ResponseWriter, r *http.Request) {
	id, ok := s.deviceID(w, r)
	if !ok {
		return
	}
	n, _ := strconv.ParseUint(posted(r).Get("reason"), 10, 8)
	why := seal.Reason(n)
	// With a reason that the page did not offer the device goes all the same, as lost.
	if !slices.Contains(removeReasons, why) {
		why = seal.ReasonLost
	}
	rep := s.rep
	s.begin(w, r, "staff.removing", "/device/"+id.String()+"/after", func(ctx context.Context, p func(int, int)) error {
		return rep.Admin().RemoveDevice(ctx, id, why, p)
	})
}

// memberRemove removes a member with all her devices: she has left.
func (s staffPages) memberRemove(w http.ResponseWriter, r *http.Request) {
	id, ok := s.deviceID(w, r)
	if !ok {
		return
	}
	// Looked up now: the act runs when this request is over.
	d, rep := s.exposure(id), s.rep
	s.begin(w, r, "staff.removing", "/device/"+id.String()+"/after", func(ctx context.Context, p func(int, int)) error {
		return rep.Admin().RemoveMember(ctx, d.Member, p)
	})
}

// deviceRoles gives a member other roles. What they open no more is rotated away at once.
func (s staffPages) deviceRoles(w http.ResponseWriter, r *http.Request) {
	id, ok := s.deviceID(w, r)
	if !ok {
		return
	}
	var roles krama.Role
	for _, v := range posted(r)["role"] {
		n, _ := strconv.ParseUint(v, 10, 16)
		if slices.Contains(allRoles, krama.Role(n)) {
			roles |= krama.Role(n)
		}
	}
	// No role is no choice: who has left is removed.
	if roles == 0 {
		redirect(w, r, "/device/"+id.String())
		return
	}
	d, rep := s.exposure(id), s.rep
	s.begin(w, r, "staff.changing", "/device/"+id.String(), func(ctx context.Context, p func(int, int)) error {
		return rep.Admin().SetRoles(ctx, d.Member, roles, p)
	})
}

// deviceTrust says that a copied device is to be believed again.
func (s staffPages) deviceTrust(w http.ResponseWriter, r *http.Request) {
	id, ok := s.deviceID(w, r)
	if !ok {
		return
	}
	rep := s.rep
	s.begin(w, r, "staff.copied", "/device/"+id.String(), func(ctx context.Context, _ func(int, int)) error {
		return rep.Admin().TrustDevice(ctx, id)
	})
}

// deviceAfter says, after a device was removed, what it could open and whom to warn first.
func (s staffPages) deviceAfter(w http.ResponseWriter, r *http.Request) {
	id, ok := s.deviceID(w, r)
	if !ok {
		return
	}
	d := s.exposure(id)
	if !d.Removed { // a second admin has not signed yet, its day has not come, or nobody has begun
		redirect(w, r, "/device/"+id.String())
		return
	}
	s.page(w, r, 200, "staff.after", "devices", afterView(d))
}

// rotateNow opens new epochs that are due, when a person asks for it.
func (s staffPages) rotateNow(w http.ResponseWriter, r *http.Request) {
	rep := s.rep
	s.begin(w, r, "staff.rotating", "/devices", func(ctx context.Context, p func(int, int)) error {
		return rep.Admin().Maintain(ctx)
	})
}

// rosterPage shows every statement about the programme and who made it: nobody is added or removed unseen.
func (s staffPages) rosterPage(w http.ResponseWriter, r *http.Request) {
	var rows []logRow
	kinds := map[krama.CircleID]krama.CircleKind{}
	for k, c := range s.rep.Kinds() {
		kinds[c] = k
	}
	me, _ := s.rep.Device()
	p := s.printer(r)
	s.rep.Roster(func(ro *seal.Roster) {
		// Inside Roster nothing may ask the replica: names come from the roster and from what is folded here.
		name := func(id krama.DeviceID) string {
			if id == me {
				return p.T("devices.this")
			}
			return s.deviceName(ro, id)
		}
		for _, l := range slices.Backward(ro.Log) {
			row := logRow{Logged: l, Who: name(l.Author)}
			switch {
			case l.Device != krama.DeviceID{}:
				row.What = name(l.Device)
			case l.Member != krama.MemberID{}:
				row.What = s.memberName(l.Member)
			}
			row.Kind, row.Known = kinds[l.Circle], l.Circle == krama.OrgCircle
			if _, ok := kinds[l.Circle]; ok {
				row.Known = true
			}
			// The newest 400: the page ends here, not the log.
			if rows = append(rows, row); len(rows) == 400 {
				break
			}
		}
	})
	s.page(w, r, 200, "staff.log", "devices", rosterView(rows))
}

// letterRows are the letters that a person must decide about.
func (s staffPages) letterRows() (rows []letterRow) {
	for _, m := range s.rep.Admin().Mail() {
		row := letterRow{ID: hex.EncodeToString(m.ID[:]), Kind: m.Kind, Day: m.Day}
		// Keys come with the work and are not counted.
		late, _ := m.Late()
		for _, l := range late {
			switch {
			case l.Record == nil:
			case l.Record.Contact != nil:
				row.Contacts++
			case l.Record.Person != nil:
				row.People++
			default:
				row.Other++
			}
		}
		if st, ok := m.Statement(); ok {
			row.Draft = s.deed(s.rep, st.Plain())
		}
		s.rep.Roster(func(ro *seal.Roster) { row.From = s.deviceName(ro, m.From) })
		rows = append(rows, row)
	}
	return rows
}

// mailPage lists them.
func (s staffPages) mailPage(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, 200, "staff.mail", "devices", mailView(s.letterRows(), ""))
}

// mailDecide accepts, signs or refuses what a letter asks.
func (s staffPages) mailDecide(w http.ResponseWriter, r *http.Request) {
	b, err := hex.DecodeString(r.PathValue("id"))
	if err != nil || len(b) != 32 {
		s.notFound(w, r)
		return
	}
	id := [32]byte(b)
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	switch posted(r).Get("do") {
	case "accept":
		// In this desk's name, under the records' own ids: what came another way meanwhile counts once.
		err = s.rep.Admin().AcceptLate(id)
	case "sign":
		err = s.cosign(ctx, id)
	case "refuse":
		err = s.rep.Admin().Decline(id)
	default:
		s.notFound(w, r)
		return
	}
	// NotFound is a letter that was decided before, by the first of two taps.
	if err != nil && krama.KindOf(err) != krama.NotFound {
		trouble := jobError(err)
		if posted(r).Get("do") == "accept" && krama.KindOf(err) == krama.NotAllowed {
			trouble = "staff.notAll"
		}
		s.page(w, r, 200, "staff.mail", "devices", mailView(s.letterRows(), trouble))
		return
	}
	redirect(w, r, "/mail")
}

// repairPage explains what repairing a restored relay does.
func (s staffPages) repairPage(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, 200, "repair.title", "devices", repairView(s.rolledBack()))
}

// rolledBack reports whether the relay shows less than it did.
func (s *session) rolledBack() bool {
	// One that rests on one device's word is about that device: it is no reason to repair the relay.
	return slices.ContainsFunc(s.rep.Status().Alarms, func(a replica.Alarm) bool {
		return !a.Mended && !a.ByAuthor() && (a.What == replica.AlarmRollback || a.What == replica.AlarmFork)
	})
}

// repairNow gives the relay back what it lost, after a person has said that she is sure.
func (s staffPages) repairNow(w http.ResponseWriter, r *http.Request) {
	// A repair rewrites what the relay holds. It begins from the page that explains it.
	if posted(r).Get("sure") != "yes" {
		redirect(w, r, "/repair")
		return
	}
	rep := s.rep
	s.begin(w, r, "repair.title", "/devices", func(ctx context.Context, p func(int, int)) error {
		return rep.Admin().Repair(ctx, p)
	})
}

// maintain does the office's daily work after a sync, unless the device was locked meanwhile.
func (s *session) maintain(ctx context.Context, rep *replica.Replica) error {
	if s.rep != rep || s.office == nil {
		return nil
	}
	return s.office.Day(ctx)
}

// Tend does the office's daily work now.
func (s *Server) Tend(ctx context.Context) error {
	v := s.session()
	if v.rep == nil {
		return krama.E("web.Tend", krama.NotAllowed, "locked")
	}
	return v.maintain(ctx, v.rep)
}

// OpenDoor publishes what the programme shows to anybody.
func (s *Server) OpenDoor(ctx context.Context) error {
	o := s.session().office
	if o == nil {
		return krama.E("web.OpenDoor", krama.NotAllowed, "locked")
	}
	return o.OpenDoor(ctx)
}
