package main

import (
	"context"
	"fmt"
	"os"

	"krama"
	"krama/relay/sqlite"
)

var restoreCommand = command{"restore", "make a relay's folder from a backup", `Usage: krama restore --from FILE --data DIR

Checks a backup and makes the relay's store in DIR from it. DIR must not hold a store; it is
made if missing, and a token that is there stays. Then start the relay: krama serve --data DIR.

What devices sent after the backup was made is not in it: see doc/running.md before you restore
over a relay that people use.
`, nil}

// restore runs `krama restore`.
func restore(ctx context.Context, e *env, args []string) error {
	f := e.flags(restoreCommand)
	from, data := f.String("from", "", ""), f.String("data", "", "")
	if err := parse(f, args); err != nil {
		return err
	}
	if err := lacks(f, "from", "data"); err != nil {
		return err
	}
	if err := mayRead("restore", *from); err != nil { // before a folder is made for it
		return err
	}
	if err := os.MkdirAll(*data, 0o700); err != nil {
		return err
	}
	// The copy is checked before it gets its name: a relay never starts on half of one. A store that is there is
	// Conflict, a damaged one too, because it may hold what the backup does not.
	c, err := sqlite.Restore(ctx, *from, storePath(*data), meter(e.err))
	if err != nil {
		return storeHint(ctx, "restore", err, map[krama.Kind]string{
			krama.NotFound: "--from is a file that krama backup made",
			krama.Invalid:  "--from is a file that krama backup made, not the folder of a relay",
			krama.Conflict: "stop the relay and give a new folder, or move relay.db, relay.db-wal and relay.db-shm " +
				"away first",
			krama.Full:     "make room; the backup was not touched",
			krama.Tampered: "krama check --file " + *from + " says what is wrong; take an older backup",
		})
	}
	// The bytes are the backup's, so the fingerprint is the one that was written down when it was made.
	printCopy(e.out, c)
	fmt.Fprintln(e.err, "hint: krama serve --data", *data)
	return nil
}
