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
       krama directory import FILE [--yes] [--data DIR]

export  writes the desk's directory as HSDS 3.0 (Open Referral). A PATH that ends in .json is one
        list of services, .zip a tabular package, any other a new folder of CSV files. It holds
        what anybody may see; never what only named staff may, such as where a shelter is.
import  reads a directory in HSDS 3.0: a .json or .zip file, or a folder of CSV files. Says how
        many listings it would add and what it would leave behind, and writes nothing without
        --yes. What is added is for staff to verify: it is not public and not verified. A listing
        that is here already is left as it is. Addresses are not taken in: one may be a shelter's.

Unlocks the desk with four words from standard input.

  --to PATH    the file or folder to write; it must not exist
  --partners   also what partner organisations may see, of listings that are public
  --yes        write what would be added
  --data DIR   the desk's folder (default: krama/desk in your configuration folder)
`, nil}

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

func directoryExport(e *env, args []string) error {
	f := e.flags(directoryCommand)
	to, data, partners := f.String("to", "", ""), f.String("data", "", ""), f.Bool("partners", false, "")
	if err := parse(f, args); err != nil {
		return err
	}
	if err := lacks(f, "to"); err != nil {
		return err
	}
	if _, err := os.Lstat(*to); !errors.Is(err, os.ErrNotExist) {
		return hint{krama.E("directory", krama.Conflict, "--to exists already, or cannot be looked at"), "name a file or folder that does not exist"}
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

func directoryImport(e *env, args []string) error {
	f := e.flags(directoryCommand)
	data, yes := f.String("data", "", ""), f.Bool("yes", false, "")
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
	in, err := readHSDS(file, fmt.Sprintf("imported on %s from %s", today, plainName(file)))
	if err != nil {
		return hint{err, "nothing was written; the file must be HSDS 3.0: JSON, a zip file, or a folder of CSV files"}
	}
	r, st, err := openDesk(e, *data)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, roles := r.Device(); roles&krama.KindOutreach.Writers() == 0 {
		return hint{krama.E("directory", krama.NotAllowed, "this desk's member may not change the directory"), "ask a colleague who may"}
	}
	add, known := fresh(st, in)
	sayLost(e, in)
	fmt.Fprintf(e.err, "known already: %d\n", known)
	switch {
	case len(add) == 0:
		fmt.Fprintln(e.err, "nothing to add")
		return nil
	case !*yes:
		fmt.Fprintf(e.err, "would add %d listings for staff to verify; nothing is written yet\nhint: look at what is left behind, then run it again with --yes\n", len(add))
		return nil
	}
	for _, rec := range add {
		if rec.ID, err = r.NewRecord(); err != nil {
			return err
		}
	}
	if err := r.Write(krama.KindOutreach, krama.SubjectID{}, add...); err != nil {
		return err
	}
	fmt.Fprintf(e.err, "added %d listings for staff to verify; none is public\nhint: send them to the other devices with: krama sync\n", len(add))
	return nil
}

// fresh are records of what is not here yet. A listing is here when it was imported before, whatever staff made of it since, or
// when the file is this programme's own.
func fresh(st *casework.State, in *exchange.Import) (add []*krama.Record, known int) {
	keys, ids := map[krama.ListingID]bool{}, map[string]bool{}
	for _, e := range st.Listings() {
		keys[e.Key], ids[exchange.ServiceID(e.Key)] = true, true
	}
	for i := range in.Listings {
		if keys[in.Listings[i].Key] || ids[in.IDs[i]] {
			known++
			continue
		}
		add = append(add, &krama.Record{Listing: &in.Listings[i]})
	}
	return add, known
}

// sayLost says what another directory holds and this one will not.
func sayLost(e *env, in *exchange.Import) {
	if in.Refused > 0 {
		fmt.Fprintf(e.err, "not taken: %d services without a name, or with something that does not fit\n", in.Refused)
	}
	for _, what := range slices.Sorted(maps.Keys(in.Lost)) {
		fmt.Fprintf(e.err, "left behind: %s %d\n", what, in.Lost[what])
	}
}

// readHSDS reads another directory in the form in which it comes.
func readHSDS(path, source string) (*exchange.Import, error) {
	const op = "directory"
	info, err := os.Stat(path)
	if err != nil {
		return nil, plainError(op, err)
	}
	var t *hsds.Tables
	var twice []hsds.Loss
	switch {
	case info.IsDir():
		t, err = hsds.ReadTables(os.DirFS(path))
	case !info.Mode().IsRegular():
		return nil, krama.E(op, krama.Invalid, "not a file or a folder")
	default:
		f, e := os.Open(path)
		if e != nil {
			return nil, plainError(op, e)
		}
		defer f.Close()
		var head [2]byte
		if n, _ := f.ReadAt(head[:], 0); n == 2 && string(head[:]) == "PK" {
			t, err = hsds.ReadZip(f, info.Size())
		} else {
			t, twice, err = readJSON(f)
		}
	}
	if err != nil {
		return nil, plainError(op, err)
	}
	in, err := exchange.FromHSDS(t, source)
	if len(twice) > 0 && err == nil {
		in.Lost["second answers to one question"] = len(twice)
	}
	return in, err
}

func readJSON(r io.Reader) (*hsds.Tables, []hsds.Loss, error) {
	d, err := hsds.ReadJSON(r)
	if err != nil {
		return nil, nil, err
	}
	if d.Kind == "" && len(d.Objects) == 0 {
		d.Kind = hsds.Service // an empty list
	}
	return hsds.FromNested(d)
}

// plainName is a file's name as it may stand in a listing.
func plainName(path string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return '?'
		}
		return r
	}, filepath.Base(filepath.Clean(path)))
}
