// Command noreflect fails when the phone's program calls methods by name: the linker would then keep every exported
// method of every type, which costs 0.7 MB. It takes the flags and the package that the program is built with.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
)

func main() {
	// The flags must not bring -ldflags of their own: the last one counts, and the linker would tell nothing.
	c := exec.Command("go", append([]string{"build", "-ldflags=-dumpdep", "-o", os.DevNull}, os.Args[1:]...)...)
	c.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	out, err := c.CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "noreflect: %v\n", err)
		os.Exit(1)
	}
	// One place is enough: because of it the linker keeps everything.
	for line := range bytes.Lines(out) {
		if bytes.Contains(line, []byte("<ReflectMethod>")) {
			fmt.Fprintf(os.Stderr, "noreflect: methods are called by name: %s", line)
			os.Exit(1)
		}
	}
}
