package replica

import (
	"time"

	"krama/journal"
)

// The names of a device's files, and how one is read and written.

// Files of a vault that needs more than the words. They name what is needed and hold none of it readable.
const (
	passkeyFile = "passkey" // 01 ‖ question(32) ‖ the passkey's id
	// 02 ‖ the name of the box at the relay(16) ‖ the programme's short name(16); 01 without that
	fieldFile = "field"
	leaseFile = "lease" // 01 ‖ u64 from ms ‖ u64 until ms ‖ salt(32) ‖ the pepper, sealed(48)
)

// Files of a device.
const (
	vaultFile = "vault"
	keysFile  = "keys"
)

const day = 24 * time.Hour

// decoyFile is where a phone keeps a vault that opens nothing and whose words destroy the real one.
const decoyFile = "duress"

// nextFile holds a vault that is about to take the place of the one that is there, and its hash.
const nextFile = "vault-next"

// frozenName alternates between two names, as journalName does: a new part is whole before the old one goes.
func frozenName(gen uint64) string {
	if gen%2 == 1 {
		return "kept-a"
	}
	return "kept-b"
}

// journalName alternates between two names: the new file is whole before the old one goes.
func journalName(gen uint64) string {
	switch {
	case gen == 0:
		return "journal"
	case gen%2 == 1:
		return "journal-a"
	}
	return "journal-b"
}

// journalFiles are the names of all files that may hold a part of a journal.
func journalFiles() []string {
	return []string{journalName(0), journalName(1), journalName(2), frozenName(0), frozenName(1)}
}

// readFile reads a small file; nil is none, or one longer than max.
func readFile(d journal.Dir, name string, max int) ([]byte, error) {
	const op = "replica.readFile"
	f, err := d.Open(name)
	if err != nil {
		return nil, hostError(op, err)
	}
	n, err := f.Size()
	if err == nil && n == 0 {
		f.Close()
		return nil, hostError(op, d.Remove(name)) // looking made it
	}
	defer f.Close()
	if err != nil || n > int64(max) {
		return nil, hostError(op, err)
	}
	b := make([]byte, n)
	_, err = f.ReadAt(b, 0)
	return b, hostError(op, err)
}

// writeFile writes a small file, durable when it returns. Only replaceVault makes sure that a cut leaves it whole.
func writeFile(d journal.Dir, name string, b []byte) error {
	const op = "replica.writeFile"
	f, err := d.Open(name)
	if err != nil {
		return hostError(op, err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, 0); err != nil {
		return hostError(op, err)
	}
	// After the write: a file that is only replaced is at no moment empty.
	if err := f.Truncate(int64(len(b))); err != nil {
		return hostError(op, err)
	}
	return hostError(op, f.Sync())
}
