package main

import (
	"context"
	"fmt"
	"slices"

	"krama"
	"krama/guide"
	"krama/replica"
)

var syncCommand = command{"sync", "meet the relay once", `Usage: krama sync [--data DIR]

Unlocks the desk with four words from standard input, sends and receives, and says what changed.
Exit status 5 means that something is wrong and a person must look: open the desk.
`, nil}

// syncOnce runs `krama sync`.
func syncOnce(ctx context.Context, e *env, args []string) error {
	f := e.flags(syncCommand)
	data := f.String("data", "", "")
	if err := parse(f, args); err != nil {
		return err
	}
	r, st, err := openDesk(e, *data)
	if err != nil {
		return err
	}
	defer r.Close()
	// One line that is written over as long as there is something to count; a stage without a number is said once.
	last := replica.Stage("")
	err = r.Sync(ctx, func(p replica.Progress) {
		if p.Stage != last || p.Total > 0 {
			fmt.Fprintf(e.err, "\r%s %d/%d   ", p.Stage, p.Done, p.Total)
			last = p.Stage
		}
	})
	fmt.Fprintln(e.err)
	if err != nil {
		return hint{err, "nothing is lost; try again when the relay can be reached"}
	}
	// The office's day, as an open desk has it: what is due is rotated, reports are fetched, the door is published,
	// what expired ends.
	g, err := guide.Load()
	if err != nil {
		return err
	}
	// A relay that is gone by now is no failure: what was typed is sent, and what is due waits for the next meeting.
	if err := deskOffice(g, r, st).Day(ctx); err != nil && krama.KindOf(err) != krama.Offline {
		return hint{err, "everything is sent; what is due goes on at the next try"}
	}
	// Alarms that were answered stay on the devices page. Only the others call a person, and make status 5.
	s := r.Status()
	s.Alarms = slices.DeleteFunc(s.Alarms, func(a replica.Alarm) bool { return a.Mended })
	people, contacts := st.Counts()
	fmt.Fprintf(e.out, "people %d\ncontacts %d\nunsent %d\nalarms %d\n", people, contacts, s.Unsent, len(s.Alarms))
	// A lone admin's announcement protects only as far as people see it, so a timer's output has it too.
	for _, a := range s.Announced {
		fmt.Fprintf(e.err, "announced: %s, done after %s unless it is taken back under Devices\n", a.What.Type,
			a.After.Format("2006-01-02 15:04"))
	}
	if len(s.Alarms) > 0 {
		for _, a := range s.Alarms {
			fmt.Fprintln(e.err, "alarm:", a.What)
		}
		return errAlarm
	}
	return nil
}
