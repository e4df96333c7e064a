package web

import (
	"context"
	"slices"
	"strings"
	"time"

	"krama"
	"krama/journal"
	"krama/replica"
	"krama/seal/words"
	"krama/web/http"
)

// What empties a phone: travel, panic, duress words, and an erasure of one person.

// emptyRoutes registers the pages that erase: a person, and on a phone everything.
func (s *Server) emptyRoutes() {
	o := s.open
	o.HandleFunc("GET /person/{id}/erase", on(gatePages.erasePage))
	o.HandleFunc("POST /person/{id}/erase", on(gatePages.eraseNow))
	// What follows empties or locks a phone. No page of a desk empties it.
	if s.Host != Phone {
		return
	}
	o.HandleFunc("GET /travel", on(gatePages.travelPage))
	o.HandleFunc("POST /travel", on(gatePages.travelNow))
	o.HandleFunc("GET /panic", on(gatePages.panicPage))
	o.HandleFunc("POST /panic", on(gatePages.panicNow))
	o.HandleFunc("GET /duress", on(gatePages.duressPage))
	o.HandleFunc("POST /duress", on(gatePages.duressSet))
}

// erasePage asks for the code of the person whose records are to be destroyed.
func (s gatePages) erasePage(w http.ResponseWriter, r *http.Request) {
	if v, ok := s.view(w, r); ok {
		s.page(w, r, 200, "erase.title", "people", eraseView(&v, false, false))
	}
}

// eraseNow destroys a person's key here at once. Her code must be typed: there is no way back.
func (s gatePages) eraseNow(w http.ResponseWriter, r *http.Request) {
	v, ok := s.view(w, r)
	if !ok {
		return
	}
	f := posted(r)
	// As it is said and written: case, dashes and spaces do not matter, one wrong character does.
	code, err := krama.ParseCode(f.Get("code"))
	danger := f.Get("why") == "danger"
	if err != nil || code != v.Value.Code {
		s.page(w, r, 422, "erase.title", "people", eraseView(&v, danger, true))
		return
	}
	// The reason travels with the erasure, and whoever is asked for a second word sees it.
	why := replica.ShredAsked
	if danger {
		why = replica.ShredDanger
	}
	if err := s.erase(krama.KindOutreach, v.Subject, why); err != nil {
		s.fail(w, r, err)
		return
	}
	s.page(w, r, 200, "erase.title", "people", erasedView())
}

// travelPage explains what emptying the phone before a journey does.
func (s gatePages) travelPage(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, 200, "travel.title", "settings", travelView(""))
}

// travelNow empties the phone before a journey. Nothing is emptied that has not arrived.
func (s gatePages) travelNow(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Minute)
	defer cancel()
	// It sends and reads back first. What fails before the roster has removed the device destroys nothing.
	err := s.rep.Admin().Travel(ctx)
	switch {
	case err == nil:
		s.goodbye(w, r, "travel.done")
	case krama.KindOf(err) == krama.Conflict:
		s.page(w, r, 200, "travel.title", "settings", travelView("travel.unsent"))
	default:
		s.page(w, r, 200, "travel.title", "settings", travelView(syncError(err)))
	}
}

// panicPage asks once whether everything on the phone is to go, and says what is lost by it.
func (s gatePages) panicPage(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, 200, "panic.title", "settings", panicView(s.rep.Status().Unsent))
}

// panicNow destroys the vault before anything else is done, also before anything is said.
func (s gatePages) panicNow(w http.ResponseWriter, r *http.Request) {
	slot := s.at()
	replica.Destroy(s.dirs()[slot])
	s.leave(w, r, slot)
}

// at is the place of the vault that is open, or was last.
func (s *Server) at() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.slot
}

// leave ends the device in a place of this phone without a word and goes to the public page.
func (s gatePages) leave(w http.ResponseWriter, r *http.Request, slot int) {
	s.mu.Lock()
	rep := s.rep
	s.let()
	s.mu.Unlock()
	if rep != nil {
		rep.Close()
	}
	replica.Wipe(s.dirs()[slot])
	// Where nobody else of this phone has a vault, the browser is told to forget the program as well.
	all := ""
	if some, err := s.vaults(); err == nil && !slices.Contains(some, true) {
		all = " data-all"
	}
	// No sentence and no frame: whoever looks over her shoulder sees the public page, to which the script goes.
	w.WriteHeader(http.StatusOK)
	w.Write([]byte("<main data-leave" + all + "></main>"))
}

// goodbye shows why this phone is empty.
func (s *session) goodbye(w http.ResponseWriter, r *http.Request, key string) {
	s.mu.Lock()
	// Nothing is closed here: a replica that has destroyed its vault closes itself.
	s.let()
	s.mu.Unlock()
	s.page(w, r, 200, "gate.welcome", "", notice(key))
}

// duressPage explains words that empty the phone when they are typed.
func (s gatePages) duressPage(w http.ResponseWriter, r *http.Request) {
	s.page(w, r, 200, "duress.title", "settings", duressView(nil, s.hasDuress()))
}

// hasDuress reports whether such words are set. The vault's file does not tell: a decoy has its size and is there
// always.
func (s *Server) hasDuress() bool { return replica.HasDecoy(s.dirs()[s.at()]) }

// duressSet draws the words, shows them once, or takes them away again. They open a second vault that holds nothing and
// is no secret to whoever looks at the files.
func (s gatePages) duressSet(w http.ResponseWriter, r *http.Request) {
	dir := s.dirs()[s.at()]
	if posted(r).Get("do") == "off" {
		replica.RemoveDecoy(dir)
		redirect(w, r, "/duress")
		return
	}
	// Drawn and never chosen, like the words that open it. They are shown in this answer and kept nowhere readable.
	words, err := words.Draw(s.Rand, words.Vault)
	if err == nil {
		err = replica.WriteDecoy(s.Config.Replica, dir, strings.Join(words, " "))
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.page(w, r, 200, "duress.title", "settings", duressView(words, true))
}

// Several people may share one phone: each has a vault of her own, and nobody's words open another's.
const maxVaults = 4

// dirs are the places of the vaults of this phone. A desk has one.
func (s *Server) dirs() []journal.Dir {
	// The first vault has plain file names; those of the others begin with 2- to 4-.
	out := []journal.Dir{s.Config.Replica.Dir}
	for i := 1; i < maxVaults && s.Host == Phone; i++ {
		out = append(out, journal.Prefix(s.Config.Replica.Dir, string(rune('1'+i))+"-"))
	}
	return out
}

// vaults tells which places have a vault.
func (s *Server) vaults() (has []bool, err error) {
	// One that cannot be read is an error and never a free place: something may lie there.
	for _, d := range s.dirs() {
		h, err := replica.HasVault(d)
		if err != nil {
			return nil, err
		}
		has = append(has, h)
	}
	return has, nil
}

// errDuress says that the emergency words were typed and the vault is destroyed. No page shows it: leave answers.
var errDuress = krama.E("web.unlock", krama.NotFound, "")

// freeSlot is where another person's vault can be made, or -1.
func (s *Server) freeSlot() int {
	// -1 also where they cannot be read: nobody begins anew over what may be there.
	has, err := s.vaults()
	if err != nil {
		return -1
	}
	return slices.Index(has, false)
}
