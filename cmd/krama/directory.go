package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"krama"
	"krama/casework"
	"krama/directory"
	"krama/exchange"
	"krama/exchange/hsds"
	"krama/guide"
	"krama/locale"
)

var directoryCommand = command{"directory", "take the directory of services out, or another one in", `Usage: krama directory export --to PATH [--partners] [--data DIR]
       krama directory import FILE [--from NAME] [--yes] [--data DIR]

export  writes the desk's directory as HSDS 3.0 (Open Referral). A PATH that ends in .json is one
        list of services, .zip a tabular package, any other a new folder of CSV files. It holds
        what anybody may see; never what only named staff may, such as where a shelter is.
import  reads a directory in HSDS 3.0: a .json or .zip file, or a folder of CSV files. Says how
        many listings it would add and what it would leave behind, and writes nothing without
        --yes. What is added is for staff to verify: it is not public and not verified. A listing
        that is here already is left as it is. Addresses are not taken in: one may be a shelter's.
        Every record that can be read is; each that cannot is named, and so is every number, time
        and area that is not understood whole.

Unlocks the desk with four words from standard input.

  --to PATH    the file or folder to write; it must not exist
  --partners   also what partner organisations may see, of listings that are public
  --from NAME  whose directory it is, the same at every import of it; needed where its services have
               numbers for ids, as those of another directory may have too
  --yes        write what would be added
  --data DIR   the desk's folder (default: krama/desk in your configuration folder)
`, nil}

// directoryRun runs `krama directory`.
func directoryRun(_ context.Context, e *env, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "export":
			return directoryExport(e, args[1:])
		case "import":
			return directoryImport(e, args[1:])
		}
	}
	fmt.Fprint(e.err, directoryCommand.long)
	return errUsage
}

// directoryExport writes the listings as HSDS, without what is not for everybody unless partners are meant.
func directoryExport(e *env, args []string) error {
	f := e.flags(directoryCommand)
	to, data, partners := f.String("to", "", ""), f.String("data", "", ""), f.Bool("partners", false, "")
	if err := parse(f, args); err != nil {
		return err
	}
	if err := lacks(f, "to"); err != nil {
		return err
	}
	// Before words are asked for. A link counts as there, wherever it leads.
	if _, err := os.Lstat(*to); !errors.Is(err, os.ErrNotExist) {
		return hint{krama.E("directory", krama.Conflict, "--to exists already, or cannot be looked at"),
			"name a file or folder that does not exist"}
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
	tier := krama.TierPublic
	if *partners {
		tier = krama.TierPartner
	}
	today := krama.DayOf(time.Now())
	views := shown(st, tier, today)
	en := locale.New("en")
	if err := writeHSDS(*to, exchange.HSDS(views, g, today, func(key string) string { return en.T(key) })); err != nil {
		return err
	}
	fmt.Fprintf(e.err, "wrote %d listings\n", len(views))
	if *partners {
		fmt.Fprintln(e.err, "hint: it holds what partners may see; give it to nobody else")
	}
	return nil
}

// shown are the listings that may leave: what the public pages would show, with what a tier may see of each.
func shown(st *casework.State, tier krama.Tier, today krama.Day) (out []directory.View) {
	for _, e := range st.Listings() {
		if v, ok := e.For(tier, today); ok && v.Status != directory.Hidden {
			out = append(out, v)
		}
	}
	return out
}

// writeHSDS writes tables in the form that the name asks for, whole or not at all.
func writeHSDS(to string, t *hsds.Tables) error {
	switch strings.ToLower(filepath.Ext(to)) {
	case ".json":
		services, err := t.Full(hsds.Service)
		if err != nil {
			return err
		}
		return replace(to, func(w io.Writer) error {
			return (&hsds.Document{Form: hsds.List, Kind: hsds.Service, Objects: services}).WriteJSON(w)
		})
	case ".zip":
		return replace(to, t.WriteZip)
	}
	// The folder gets its name when all its files are durable. One that is left from a killed run is not removed here:
	// it may hold what somebody has put there.
	part := filepath.Clean(to) + ".part"
	if err := os.Mkdir(part, 0o700); err != nil {
		return hint{plainError("directory", err), "remove the folder that ends in .part, if it is there, and try again"}
	}
	defer os.RemoveAll(part)
	err := t.WriteDir(part)
	if err == nil {
		err = syncAll(part)
	}
	if err == nil {
		err = os.Rename(part, to)
	}
	return plainError("directory", err)
}

// syncAll makes a folder's files durable.
func syncAll(dir string) error {
	all, err := os.ReadDir(dir)
	for _, x := range all {
		f, e := os.OpenFile(filepath.Join(dir, x.Name()), os.O_RDWR, 0)
		if e == nil {
			e = errors.Join(f.Sync(), f.Close())
		}
		err = errors.Join(err, e)
	}
	return err
}

// directoryImport reads a file of another system, shows what would come of it, and keeps it when a person has said yes.
func directoryImport(e *env, args []string) error {
	f := e.flags(directoryCommand)
	data, yes, from := f.String("data", "", ""), f.Bool("yes", false, ""), f.String("from", "", "")
	file := ""
	for len(args) > 0 { // flags may come before the file and after it
		if file == "" && (args[0] == "-" || !strings.HasPrefix(args[0], "-")) {
			file, args = args[0], args[1:]
			continue
		}
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
			return context.Canceled
		} else if err != nil {
			return errUsage
		}
		if args = f.Args(); len(args) > 0 && file != "" {
			break
		}
	}
	if file == "" || len(args) > 0 {
		f.Usage()
		return errUsage
	}
	today := krama.DayOf(time.Now())
	g, err := guide.Load()
	if err != nil {
		return err
	}
	// Before a desk is opened: for a file that cannot be read nobody types her words.
	t, remarks, err := readHSDS(file)
	if err != nil {
		return hint{err, "nothing was written; the file must be HSDS 3.0: JSON, a zip file, or a folder of CSV files"}
	}
	// Stands on each listing until somebody changes it, so that staff know whom to ask: whose directory, which file,
	// which day.
	source := plainName(file)
	if *from != "" {
		source = plainName(*from) + ", " + source
	}
	// The name counts without capitals and extra spaces: typed a little otherwise, the same services would come in a
	// second time.
	in, err := exchange.FromHSDS(t, g, strings.ToLower(strings.Join(strings.Fields(*from), " ")),
		fmt.Sprintf("imported on %s from %s", today, source))
	if krama.KindOf(err) == krama.Invalid && err != nil && *from == "" {
		return hint{err,
			"nothing was written; say whose directory it is with --from NAME, the same name at every import of it"}
	} else if err != nil {
		return hint{err, "nothing was written"}
	}
	r, st, err := openDesk(e, *data)
	if err != nil {
		return err
	}
	defer r.Close()
	// What she wrote there every other device would refuse.
	if _, roles := r.Device(); roles&krama.KindOutreach.Writers() == 0 {
		return hint{krama.E("directory", krama.NotAllowed, "this desk's member may not change the directory"),
			"ask a colleague who may"}
	}
	add, known, other := fresh(st, in)
	// A file of something else may read as a directory without services, and "nothing to add" would sound as if all
	// were here.
	if x := t.Table(hsds.Service); x == nil || len(x.Rows) == 0 {
		remarks = append(remarks, hsds.Remark{Where: plainName(file), Why: "no services in it"})
	}
	// In both runs: once the records are in, nothing else tells what the file had beyond them.
	sayLost(e, in, remarks)
	fmt.Fprintf(e.err, "known already: %d\n", known)
	say(e, "known under another name, and left as it is", other)
	switch {
	case len(add) == 0:
		fmt.Fprintln(e.err, "nothing to add")
		return nil
	case !*yes:
		fmt.Fprintf(e.err,
			"would add %d listings for staff to verify; nothing is written yet\nhint: look at what is left behind, "+
				"then run it again with --yes\n", len(add))
		return nil
	}
	for _, rec := range add {
		if rec.ID, err = r.NewRecord(); err != nil {
			return err
		}
	}
	// All in one commit: killed in between, the desk has all of them or nothing of the import.
	if err := r.Write(krama.KindOutreach, krama.SubjectID{}, add...); err != nil {
		return err
	}
	fmt.Fprintf(e.err,
		"added %d listings for staff to verify; none is public\nhint: send them to the other devices with: krama "+
			"sync\n", len(add))
	return nil
}

// fresh are records of what is not here yet. A listing is here when it was imported before, whatever staff made of it
// since, or when the file is this programme's own. other names those that have another name here.
func fresh(st *casework.State, in *exchange.Import) (add []*krama.Record, known int, other []string) {
	here, ids := map[krama.ListingID]string{}, map[string]krama.ListingID{}
	for _, e := range st.Listings() {
		here[e.Key], ids[exchange.ServiceID(e.Key)] = e.Name.In("en"), e.Key
	}
	for i := range in.Services {
		s := &in.Services[i]
		name := s.Listing.Name.In("en")
		was, ok := here[s.Listing.Key]
		// This programme's own export comes back under the ids that it went out with.
		if own, is := ids[s.ID]; is {
			was, ok = here[own], true
		} else if before, is := here[s.Before]; is && !ok && before == name {
			// of a version that took the ids of all directories for one list
			was, ok = before, true
		}
		if !ok {
			add = append(add, &krama.Record{Listing: &s.Listing})
			continue
		}
		if known++; was != name {
			other = append(other, fmt.Sprintf("%s (here: %s)", name, was))
		}
	}
	return add, known, other
}

// sayMost is how many lines of one kind are said one by one.
const sayMost = 30

// say prints lines of one kind, and how many more there are.
func say(e *env, what string, lines []string) {
	for i, l := range lines {
		if i == sayMost {
			fmt.Fprintf(e.err, "%s: and %d more\n", what, len(lines)-sayMost)
			return
		}
		fmt.Fprintf(e.err, "%s: %s\n", what, l)
	}
}

// sayLost says what another directory holds and this one will not.
func sayLost(e *env, in *exchange.Import, remarks []hsds.Remark) {
	var lines []string
	for _, r := range remarks {
		lines = append(lines, r.String())
	}
	say(e, "not read", lines)
	byKind := map[string][]string{}
	for _, l := range in.Left {
		byKind[l.What] = append(byKind[l.What], fmt.Sprintf("%s: %s", l.Service, l.Value))
	}
	for _, what := range slices.Sorted(maps.Keys(byKind)) {
		say(e, "look at "+what, byKind[what])
	}
	for _, what := range slices.Sorted(maps.Keys(in.Lost)) {
		fmt.Fprintf(e.err, "left behind: %s %d\n", what, in.Lost[what])
	}
}

// readHSDS reads another directory in the form in which it comes.
func readHSDS(path string) (t *hsds.Tables, remarks []hsds.Remark, err error) {
	const op = "directory"
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, plainError(op, err)
	}
	switch {
	case info.IsDir():
		t, remarks, err = hsds.GatherDir(os.DirFS(path))
	// A pipe or a device cannot be read from its end, where a zip file has its list.
	case !info.Mode().IsRegular():
		return nil, nil, krama.E(op, krama.Invalid, "not a file or a folder")
	default:
		f, e := os.Open(path)
		if e != nil {
			return nil, nil, plainError(op, e)
		}
		defer f.Close()
		// By what it holds and not by its name: every zip file begins with PK.
		var head [2]byte
		if n, _ := f.ReadAt(head[:], 0); n == 2 && string(head[:]) == "PK" {
			t, remarks, err = hsds.GatherZip(f, info.Size())
		} else {
			t, remarks, err = hsds.GatherJSON(f, hsds.Service)
		}
	}
	return t, remarks, plainError(op, err)
}

// plainName is a file's name as it may stand in a listing.
func plainName(path string) string {
	// A name may hold what a terminal obeys, or what is no text at all.
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return '?'
		}
		return r
	}, filepath.Base(filepath.Clean(path)))
}
