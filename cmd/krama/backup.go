package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"krama"
	"krama/relay/sqlite"
)

var backupCommand = command{"backup", "copy a relay's store into one file", `Usage: krama backup --data DIR --to FILE

Copies the store of a relay, running or not, into one new file and checks the copy. The relay
goes on meanwhile. FILE appears when it is complete; until then it is FILE.part.

  --data DIR   the relay's folder, as given to "krama serve"
  --to FILE    the file to make; it must not exist. Best on another disk

The copy is as unreadable as the store. It holds everything that devices sent, but not
DIR/token: restoring needs no token, and a relay without one makes a new one.
Prints what the copy holds and its SHA-256; keep that line apart from the file.
`, nil}

// backupDays is how long a backup is kept: newer ones hold what it holds, but for who was erased since.
const backupDays = 7

// backup runs `krama backup`.
func backup(ctx context.Context, e *env, args []string) error {
	f := e.flags(backupCommand)
	data, to := f.String("data", "", ""), f.String("to", "", "")
	if err := parse(f, args); err != nil {
		return err
	}
	if err := lacks(f, "data", "to"); err != nil {
		return err
	}
	// Looked at first: a store of another user's would come back as an internal error, whose hint is about the disk
	// that is written to.
	if err := mayRead("backup", storePath(*data)); err != nil {
		return err
	}
	// 0 sets no bound on the size: a disk that fills up ends the copy as Full. Of a failed run nothing stays; a killed
	// one leaves FILE.part, which the next writes over.
	c, err := sqlite.Backup(ctx, storePath(*data), *to, 0, meter(e.err))
	if err != nil {
		return storeHint(ctx, "backup", err, map[krama.Kind]string{
			krama.NotFound: "--data is the folder of krama serve, with relay.db in it; the folder of --to must be " +
				"there",
			krama.Conflict: "choose another name; a backup never replaces a file",
			krama.Full:     "make room or choose another disk; the relay's store was not touched",
			krama.Tampered: "krama check --data " + *data + " says what is wrong; keep your older backups",
			krama.Internal: "look whether this user may write there, or try another disk: a stick formatted as FAT " +
				"holds " +
				"no file above 4 GB",
		})
	}
	// Standard output has these lines alone, so that a script can keep them on another machine than the file.
	printCopy(e.out, c)
	// The day is told because nothing destroys a backup by itself.
	fmt.Fprintf(e.err,
		"hint: take %s to another place, and destroy it after %s: an old backup is what an erasure waits for\n", *to,
		krama.DayOf(time.Now())+backupDays)
	return nil
}

// storePath is where a relay keeps its store in its folder.
func storePath(data string) string { return filepath.Join(data, "relay.db") }

// printCopy prints what a copy holds, a name and a value on each line, to be compared by a program.
func printCopy(w io.Writer, c sqlite.Copy) {
	fmt.Fprintf(w, "size %d\nstreams %d\nenvelopes %d\nsha256 %x\n", c.Size, c.Streams, c.Envelopes, c.SHA256)
}

// meter says each stage, and how far it is in tens of percent.
func meter(w io.Writer) sqlite.Progress {
	var last string
	return func(stage string, done, total int64) {
		line := stage
		if total > 0 {
			line = fmt.Sprintf("%s: %d %%", stage, min(100, 100*done/total)/10*10)
		}
		// A copy of gigabytes says eleven lines, and not one for each four megabytes.
		if line != last {
			fmt.Fprintln(w, line)
			last = line
		}
	}
}

// storeHint gives an error the next step. An interrupted command did not do its work and must not end as if it had.
// A later version's store or backup has the same next step in every command. Other kinds have theirs in next; a kind
// that is not in it keeps the error as it came, and status adds what is usual.
func storeHint(ctx context.Context, op string, err error, next map[krama.Kind]string) error {
	if ctx.Err() != nil {
		return krama.E(op, krama.Internal, "stopped before the end; nothing was changed")
	}
	if krama.KindOf(err) == krama.NotYet {
		return hint{err, "use a krama at least as new as the one that wrote it"}
	}
	if n := next[krama.KindOf(err)]; n != "" {
		return hint{err, n}
	}
	return err
}
