package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"krama"
	"krama/exchange"
	"krama/guide"
	"krama/office"
	"krama/replica"
	"krama/seal"
	"krama/seal/words"
)

var exportCommand = command{"export", "write the whole programme as one sealed page", `Usage: krama export --to FILE.html --reason TEXT --recipient TEXT [--people N] [--keep-days N] [--seal-to KEY.pub] [--data DIR]
       krama export --open FILE.html --to DIR [--key KEY]

Writes every person, contact and consent that this desk holds, and the directory, referrals,
reports and incidents, into one page that opens in any browser, without Krama and without a
network, by six words that are drawn for it and shown once. This is the most dangerous file a
programme can make. A second admin must agree, on her own desk; where there is none, every device
shows the announcement for a day first. Leave lasts seven days. Say why. Where the desk holds reports,
whoever may read them sees, after the next sync, that a copy was taken out.

Unlocks the desk with four words from standard input. The first run writes nothing and says how
many people it would write; the second repeats that number.

  --to FILE.html     the file to write; it must not exist
  --reason TEXT      why the copy is made; written inside, at most 200 bytes
  --recipient TEXT   who will hold it; written inside, at most 200 bytes
  --people N         the number of people, as the first run said it
  --keep-days N      days until the copy must be destroyed, 1 to 365 (default 90)
  --seal-to KEY.pub  seal the six words to a recipient's key (krama recipient) and show them to
                     nobody; they lie beside the file, in FILE.html.words.age
  --data DIR         the desk's folder (default: krama/desk in your configuration folder)

With --open, reads such a page back into a new folder without a browser; its six words come from
standard input, or are opened with the recipient's key after --key. The files are not sealed.
`, nil}

// export runs `krama export`.
func export(ctx context.Context, e *env, args []string) error {
	f := e.flags(exportCommand)
	to, from, data := f.String("to", "", ""), f.String("open", "", ""), f.String("data", "", "")
	reason, recipient := f.String("reason", "", ""), f.String("recipient", "", "")
	pub, key := f.String("seal-to", "", ""), f.String("key", "", "")
	people, keep := f.Int("people", -1, ""), f.Int("keep-days", exchange.KeepDays, "")
	if err := parse(f, args); err != nil {
		return err
	}
	// an option whose value came out empty must not be taken for none: the words would be shown
	given := map[string]bool{}
	f.Visit(func(o *flag.Flag) { given[o.Name] = true })
	if given["seal-to"] && (*pub == "" || *from != "") || given["key"] && (*key == "" || *from == "") {
		f.Usage()
		return errUsage
	}
	if *to == "" || (*from == "" && (strings.TrimSpace(*reason) == "" || strings.TrimSpace(*recipient) == "")) {
		f.Usage()
		return errUsage
	}
	// Before words are asked for. An archive is never written over: it may be all that is left of a programme.
	if _, err := os.Lstat(*to); !errors.Is(err, os.ErrNotExist) {
		return hint{krama.E("export", krama.Conflict, "--to exists already, or cannot be looked at"),
			"name a file or folder that does not exist"}
	}
	if *from != "" {
		return openArchive(e, *from, *to, *key)
	}
	var whom sealTo
	if given["seal-to"] {
		// Words that are there may open another archive.
		if _, err := os.Lstat(sealedWords(*to)); !errors.Is(err, os.ErrNotExist) {
			return hint{krama.E("export", krama.Conflict, "sealed words of an archive of this name exist already"),
				"move them beside that archive, or remove them if it was never written"}
		}
		var err error
		if whom, err = recipients(*pub); err != nil {
			return err
		}
	}
	if *keep < 1 || *keep > exchange.MaxKeepDays {
		return hint{krama.E("export", krama.Invalid, "--keep-days"),
			"a copy is kept 1 to 365 days; 90 when nothing is said"}
	}
	g, err := guide.Load()
	if err != nil {
		return err
	}
	r, st, err := openDesk(e, *data)
	if err != nil {
		return err
	}
	defer r.Close()
	today := krama.DayOf(time.Now())
	// Kept like an export itself: somebody at this desk wanted everything.
	if _, roles := r.Device(); roles&krama.RoleAdmin == 0 {
		if err := keepAudit(r, krama.AuditRefused, today, office.BestCircle(r)...); err != nil {
			return err
		}
		return hint{krama.E("export", krama.NotAllowed, "this is not an admin's desk"), "ask an admin of the programme"}
	}
	// The number has a person look at how many it concerns, and makes a script fail that repeats an old line.
	n := exchange.Count(st, today)
	if *people != n.People {
		fmt.Fprintf(e.err, "would write %s; nothing is written yet\n", sentence(n))
		return hint{krama.E("export", krama.NotAllowed, "the number of people was not repeated"),
			fmt.Sprintf("if two of you have decided it, run it again with --people %d", n.People)}
	}
	// The leave is in the roster, so every device sees it before a byte is written.
	may, way, err := r.Admin().AskExport(ctx)
	switch {
	case krama.KindOf(err) == krama.Offline && err != nil:
		return hint{err, "an export is agreed in the programme first, and its relay cannot be reached"}
	case err != nil:
		return err
	case !may && way == seal.BySecond:
		return hint{krama.E("export", krama.NotAllowed, "a second admin must agree; nothing is written yet"),
			"she signs it on her desk, under Devices; then run this again within seven days"}
	case !may:
		return hint{krama.E("export", krama.NotAllowed, "it is announced on every device; nothing is written yet"),
			"run this again in a day, unless somebody has withdrawn it"}
	}
	if err := keepAudit(r, krama.AuditExport, today, krama.KindCasework, krama.KindSafeguarding); err != nil {
		// first: no copy without its line
		return err
	}
	x := &exchange.Export{State: st, Guide: g, Member: members(r), Written: today, Destroy: today + krama.Day(*keep),
		Reason: strings.TrimSpace(*reason), Recipient: strings.TrimSpace(*recipient), Version: version}
	return writeArchive(ctx, e, *to, whom, x)
}

// sentence says what an archive holds.
func sentence(n exchange.Counts) string {
	s := fmt.Sprintf("%d people, %d contacts, %d consents, %d listings and %d referrals", n.People, n.Contacts,
		n.Consents, n.Listings, n.Referrals)
	if n.Reports > 0 || n.Incidents > 0 {
		s += fmt.Sprintf(", with what was reported: %d messages and %d incidents", n.Reports, n.Incidents)
	}
	return s
}

// keepAudit keeps that a copy was taken out, or asked for, in each of the circles that this desk holds.
func keepAudit(r *replica.Replica, what uint8, today krama.Day, circles ...krama.CircleKind) error {
	for _, k := range circles {
		if _, holds := r.Kinds()[k]; !holds {
			continue
		}
		id, err := r.NewRecord()
		if err == nil {
			err = r.Write(k, krama.SubjectID{}, &krama.Record{ID: id, Audit: &krama.Audit{What: what, Day: today}})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// members says whose device it is, by the roster as it stands.
func members(r *replica.Replica) func(krama.DeviceID) (krama.MemberID, bool) {
	// Copied, because nothing of the roster may be kept beyond the lock under which it is shown.
	of := map[krama.DeviceID]krama.MemberID{}
	r.Roster(func(ro *seal.Roster) {
		for id, d := range ro.Devices {
			of[id] = d.Member
		}
	})
	return func(d krama.DeviceID) (krama.MemberID, bool) { m, ok := of[d]; return m, ok }
}

// writeArchive draws a passphrase, writes the page beside its place, moves it there when it is durable, and shows the
// passphrase once; or it seals it to recipients before, and shows it to nobody.
func writeArchive(ctx context.Context, e *env, to string, whom sealTo, x *exchange.Export) error {
	drawn, err := words.Draw(rand.Reader, exchange.PhraseWords)
	if err != nil {
		return err
	}
	passphrase := strings.Join(drawn, " ")
	// Before the archive: killed in between, there are words that open nothing, and not an archive that nobody opens.
	if len(whom.keys) > 0 {
		if err := whom.write(to, passphrase); err != nil {
			return err
		}
	}
	fmt.Fprintln(e.err, "writing")
	var n exchange.Counts
	err = replace(to, func(w io.Writer) error {
		n, err = exchange.Write(untilStopped{ctx, w}, rand.Reader, passphrase, x)
		return err
	})
	// Otherwise the next try would find words in its way.
	if err != nil && len(whom.keys) > 0 {
		os.Remove(sealedWords(to))
	}
	if errors.Is(err, context.Canceled) {
		// and not status 0, which a script would believe
		return hint{errors.New("export: stopped; nothing was written"), "run it again"}
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(e.err, "wrote %s", sentence(n))
	if n.LeftOut > 0 {
		fmt.Fprintf(e.err, "; left out %d who said no to a record", n.LeftOut)
	}
	if len(whom.keys) > 0 {
		fmt.Fprintf(e.err, "\nIts words are sealed to %d keys, beside it, and were shown to nobody.\n", len(whom.keys))
		for _, d := range whom.digits {
			fmt.Fprintf(e.err, "digits of the key: %s\n", d)
		}
		fmt.Fprintf(e.err,
			"Compare them with the recipient's by telephone, then send her both files. Only whoever has the key can "+
				"open it.\n"+
				"hint: destroy the file and every copy after %s\n", x.Destroy)
		return nil
	}
	if _, err := fmt.Fprintf(e.err,
		"\npassphrase: %s\nIt is shown this once and kept nowhere. Carry it apart from the file.\nhint: destroy the "+
			"file and every copy after %s\n", passphrase, x.Destroy); err != nil {
		os.Remove(to) // nobody has seen the words that open it
		return krama.Wrap("export", err)
	}
	return nil
}

// untilStopped ends long writing when the program is told to stop.
type untilStopped struct {
	ctx context.Context
	io.Writer
}

// Write implements io.Writer. Once the program is to stop it returns the context's error and writes no more.
func (u untilStopped) Write(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.Writer.Write(p)
}

// replace writes a file that is either whole or not there.
// Its caller has looked whether to is there; what came meanwhile is replaced. Errors do not name the path.
func replace(to string, write func(io.Writer) error) error {
	part := to + ".part"
	os.Remove(part) // of a run that was killed
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return plainError("export", err)
	}
	defer os.Remove(part)
	b := bufio.NewWriterSize(f, 1<<16)
	err = write(b)
	err = errors.Join(err, b.Flush(), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(part, to)
	}
	return plainError("export", err)
}

// plainError drops the path from an error of the file system: a path may say who an archive is for.
func plainError(op string, err error) error {
	var pe *os.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &pe):
		return krama.Wrap(op, pe.Err)
	case errors.As(err, &le):
		return krama.Wrap(op, le.Err)
	}
	return err
}

// archiveFiles are the files that opening an archive writes, by the kind of their lines.
var archiveFiles = map[string]string{"archive": "archive.json", "codebook": "codebook.json", "person": "people.jsonl",
	"contact": "contacts.jsonl",
	"consent": "consents.jsonl", "dispute": "disputes.jsonl", "staff": "staff.jsonl", "listing": "listings.jsonl",
	"guarded": "guarded.jsonl", "check": "checks.jsonl",
	"rights": "rights.jsonl", "referral": "referrals.jsonl", "report": "reports.jsonl", "act": "acts.jsonl",
	"incident": "incidents.jsonl", "audit": "audits.jsonl"}

// openArchive reads a page into a folder that appears when everything in it has been checked.
func openArchive(e *env, from, to, key string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return hint{plainError("export", err), "name the page after --open"}
	}
	defer in.Close()
	passphrase, err := archiveWords(e, from, key)
	if err != nil {
		return err
	}
	part := filepath.Clean(to) + ".part"
	if err := os.Mkdir(part, 0o700); err != nil {
		return hint{plainError("export", err), "remove the folder that ends in .part, if it is there, and try again"}
	}
	defer os.RemoveAll(part)
	// Nothing has its name before the last byte was checked: of a file that was changed, no line is worth anything.
	out, err := createAll(part)
	if err != nil {
		return err
	}
	h, err := exchange.Read(in, passphrase, out.line)
	if err := errors.Join(err, out.close()); err != nil {
		switch krama.KindOf(err) {
		case krama.CannotDecrypt:
			if key != "" {
				return hint{err, "the words beside it are another archive's"}
			}
			return hint{err, "check each of the six words; nothing was lost"}
		case krama.Tampered:
			return hint{err, "nothing of it was kept; ask for another copy"}
		}
		return err
	}
	if err := os.Rename(part, to); err != nil {
		return plainError("export", err)
	}
	// Said and not refused: it may be the only copy that is left.
	if krama.DayOf(time.Now()) > h.Destroy {
		fmt.Fprintf(e.err, "this copy should have been destroyed after %s\n", h.Destroy)
	}
	fmt.Fprintf(e.err, "hint: these files are not sealed; destroy them, with the archive, after %s\n", h.Destroy)
	return nil
}

// archiveWords are an archive's six words: typed, or opened with a recipient's key.
func archiveWords(e *env, archive, key string) (string, error) {
	if key != "" {
		return openWords(archive, key)
	}
	fmt.Fprint(e.err, "six words: ")
	s, err := bufio.NewReader(e.in).ReadString('\n')
	if err != nil && s == "" {
		return "", hint{krama.E("export", krama.Invalid, "no words were given"),
			"type the six words of the archive, or pipe them in"}
	}
	return s, nil
}

// opened is the files of an archive that is being read.
type opened map[string]*bufferedFile

// bufferedFile is one of the files of an archive that is opened.
type bufferedFile struct {
	*bufio.Writer
	f *os.File
}

// createAll makes the files that an archive is written out into. None of them may be there.
func createAll(dir string) (opened, error) {
	out := opened{}
	// Each kind has its file, an empty one too: a file that is missing looks like one that was lost.
	for kind, name := range archiveFiles {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, plainError("export", errors.Join(err, out.close()))
		}
		out[kind] = &bufferedFile{bufio.NewWriterSize(f, 1<<16), f}
	}
	return out, nil
}

// line keeps a line in the file of its kind. Kinds that are not the programme's, such as the page's words, are passed
// over.
func (o opened) line(kind string, b []byte) error {
	f := o[kind]
	if f == nil {
		return nil
	}
	if kind == "codebook" || kind == "archive" { // one object, for people to read
		var err error
		if b, err = json.MarshalIndent(json.RawMessage(b), "", " "); err != nil {
			return krama.Wrap("export", err)
		}
		b = append(b, '\n')
	}
	_, err := f.Write(b)
	return err
}

// close ends them, durable.
func (o opened) close() (err error) {
	for _, f := range o {
		err = errors.Join(err, f.Flush(), f.f.Sync(), f.f.Close())
	}
	return err
}
