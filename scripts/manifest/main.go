// Command manifest adds the phone's files to a release's folder and writes the manifest of everything in it, unsigned.
package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"krama/seal"
	"krama/web/site"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: manifest DIR VERSION COMMIT")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "manifest:", err)
		os.Exit(1)
	}
}

// run writes the phone's files before it looks at the folder, so that the manifest names them beside the programs.
func run(dir, version, commit string) error {
	phone, err := site.PhoneFiles()
	if err != nil {
		return err
	}
	for name, b := range phone {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(p, b, 0o644); err != nil {
			return err
		}
	}
	r := seal.Release{Version: version, Commit: commit}
	// The manifest cannot name itself; one may be there from an earlier run.
	err = fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || name == "manifest" {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		r.Files = append(r.Files, seal.ReleaseFile{Name: name, Sum: seal.SHA256(b)})
		return err
	})
	if err != nil {
		return err
	}
	if _, err := seal.ParseRelease(r.Marshal()); err != nil {
		return err // a name or a version that a reader would refuse
	}
	// Signers compare these lines, each with what she built on her own computer.
	fmt.Printf("release %s\nmanifest %x\nphone %x\n", version, r.ManifestHash(), r.Phone())
	// Without signatures: their keys are on computers that build nothing (krama release sign).
	return os.WriteFile(filepath.Join(dir, "manifest"), seal.SignedRelease{Manifest: r.Marshal()}.Marshal(), 0o644)
}
