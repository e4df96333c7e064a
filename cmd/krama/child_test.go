package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"time"

	"krama"
	"krama/replica"
)

// runChild turns the test program into a desk that types for ever, when its parent asks for one. It says "saved ID" for
// each record only after Write has returned.
func runChild() bool {
	dir := os.Getenv("KRAMA_CHILD_DESK")
	if dir == "" {
		return false
	}
	if err := typeForEver(dir); err != nil {
		fmt.Println("failed", err)
		os.Exit(1)
	}
	return true
}

func typeForEver(dir string) error {
	key, err := hex.DecodeString(os.Getenv("KRAMA_CHILD_KEY"))
	if err != nil {
		return err
	}
	r, err := replica.Load(deskReplica(dir), [32]byte(key))
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		s, err := r.NewSubject()
		if err != nil {
			return err
		}
		id, err := r.NewRecord()
		if err != nil {
			return err
		}
		rec := &krama.Record{ID: id, Contact: &krama.Contact{Date: 20600, Place: 1,
			Given: krama.Supplies{uint16(i % 1000)}}}
		if err := r.Write(krama.KindOutreach, s, rec); err != nil {
			return err
		}
		fmt.Println("saved", id)
		if i%3 == 2 {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			r.Sync(ctx, nil) // the relay may be dead just now; what was saved stays saved
			cancel()
		}
	}
}
