package sqlite

import (
	"os"

	"krama"
)

// private makes the store's file readable by its owner alone, and those of its parts that are there already: a relay
// may have been started under another umask before. SQLite gives the parts that it makes later the rights of the file.
// A disk that knows no rights refuses, which is its owner's choice.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return krama.Wrap("sqlite.Open", full(err))
	}
	if err := f.Close(); err != nil {
		return krama.Wrap("sqlite.Open", err)
	}
	for _, tail := range []string{"", "-wal", "-shm"} {
		os.Chmod(path+tail, 0o600)
	}
	return nil
}
