package main

import (
	"context"
	"fmt"

	"krama"
	"krama/relay/sqlite"
)

var checkCommand = command{"check", "say whether a relay's store or a backup is whole", `Usage: krama check --data DIR | --file FILE

Reads a whole store and says in plain sentences what is wrong with it: the database itself, the
order and chain of every stream, the bytes of every envelope and document, and what programmes
are charged. It changes nothing. Exit status 1 when something is wrong.

  --data DIR    a relay's folder; the relay may run, or not
  --file FILE   a backup

It cannot see a changed key or mailbox; a backup's SHA-256 vouches for those too.
`, nil}

// check runs `krama check`.
func check(ctx context.Context, e *env, args []string) error {
	f := e.flags(checkCommand)
	data, file := f.String("data", "", ""), f.String("file", "", "")
	if err := parse(f, args); err != nil {
		return err
	}
	// One of the two: a folder and a file are looked at in different ways, and have different next steps.
	if (*data == "") == (*file == "") {
		f.Usage()
		return errUsage
	}
	// A damaged backup is passed over for an older one. A damaged store stays as it is, and the newest whole backup
	// goes into another folder.
	path, next := *file, "do not use this backup; take an older one, and make a new one"
	if *data != "" {
		path, next = storePath(*data),
			"stop the relay, keep its folder as it is, and restore the last whole backup into a new one: krama help "+
				"restore"
	}
	if err := mayRead("check", path); err != nil {
		return err
	}
	// Live: a relay may be writing, so one moment of the store is read. A backup must be all there is; a store whose
	// newest part lies in a -wal file beside it is no backup.
	r, err := sqlite.Check(ctx, path, sqlite.Look{Live: *data != ""}, meter(e.err))
	if err != nil {
		return storeHint(ctx, "check", err, map[krama.Kind]string{
			krama.NotFound: "--data is the folder of krama serve; --file is a file that krama backup made",
			krama.Invalid:  "a relay's folder is checked with --data",
		})
	}
	// Damage is no error of the check: it is told in full first, and makes the exit status at the end.
	for _, w := range r.Wrong {
		fmt.Fprintln(e.out, w)
	}
	fmt.Fprintf(e.out, "programmes %d\nstreams %d\nenvelopes %d\ndocuments %d\n", r.Programmes, r.Streams,
		r.Envelopes, r.Blobs)
	// Bodies that devices had the relay drop when people were erased: said, so that nobody takes them for damage.
	if r.Dropped > 0 {
		fmt.Fprintf(e.out, "Of %d envelopes only the id is kept, as it should be.\n", r.Dropped)
	}
	if r.Startless > 0 {
		fmt.Fprintf(e.out,
			"The chain's start is unknown in %d streams made before version 2: their order and bytes were checked, "+
				"their chain was not.\n", r.Startless)
	}
	// To be compared with the line that was written down when the backup was made. A store in use changes with each
	// envelope and gets no fingerprint.
	if *file != "" {
		_, sum, err := sqlite.Sum(ctx, path, meter(e.err))
		if err != nil {
			return storeHint(ctx, "check", err, nil)
		}
		fmt.Fprintf(e.out, "sha256 %x\n", sum)
	}
	if len(r.Wrong) > 0 {
		return hint{krama.E("check", krama.Tampered, "the store is damaged"), next}
	}
	fmt.Fprintln(e.out, "Nothing is wrong.")
	return nil
}
