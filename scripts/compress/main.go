// Command compress writes a Brotli form of a file at the best quality, and prints both sizes.
package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/andybalholm/brotli"
)

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "compress:", err)
		os.Exit(1)
	}
}

// run compresses in memory, so that a failure to compress leaves no half of a file.
func run(in, out string) error {
	b, err := os.ReadFile(in)
	if err != nil {
		return err
	}
	// A window of 2^24 bytes is the largest that a browser takes.
	var z bytes.Buffer
	w := brotli.NewWriterOptions(&z, brotli.WriterOptions{Quality: brotli.BestCompression, LGWin: 24})
	if _, err := w.Write(b); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	fmt.Printf("%s: %d bytes, %d compressed\n", in, len(b), z.Len())
	return os.WriteFile(out, z.Bytes(), 0o644)
}
