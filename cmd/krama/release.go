package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/andybalholm/brotli"

	"krama"
	"krama/replica"
	"krama/seal"
	"krama/web/site"
)

// releaseNeed is how many release keys must have signed.
// There are to be three: with two needed, one that is stolen releases nothing, and one that is lost stops nothing.
const releaseNeed = 2

var releaseCommand = command{"release", "sign and check releases", `Usage: krama release key     --out FILE
       krama release sign    --manifest FILE --key FILE
       krama release verify  --manifest FILE --keys FILE [--dir DIR [--only NAME]]
       krama release pin     --manifest FILE --keys FILE [--data DIR]
       krama release compare --site URL --manifest FILE [--keys FILE] [--relay URL]

key      makes a release key and prints its public half. FILE is not locked by words: make it on
         a computer that builds nothing, and keep it on something that lies in a drawer.
sign     adds a signature to the manifest. Build the release yourself first, from a commit you
         have read ("make release"), and sign only if your manifest is the same.
verify   checks that 2 of the release keys signed, and with --dir that every file in DIR is the
         release's; --only looks at one file. Run it with the krama you already trust, not with
         the one that has just arrived.
pin      says in the programme's list of devices that this release is the one to use; phones show
         whether theirs is. Unlocks the desk with four words from standard input. Two admins must
         sign; a programme's only admin announces it, and her desk does it a day later.
compare  fetches what phones are served at URL and says what is not the release's. Run it with
         the krama of that release.

  --keys FILE   the release keys, one public key a line; # begins a comment
  --relay URL   the relay phones must be sent to; without it, the one found is only printed

compare looks at the start page, the page at /app/, every file it refers to, the service worker,
and the types and content security policies they come with. It cannot see what a site answers to
somebody else, from another network or at another time, nor what a phone has kept from before:
compare from a phone's network, and compare the digits a phone shows.

Exit status 5 means that something is not what was signed.
`, nil}

// release runs `krama release`.
func release(ctx context.Context, e *env, args []string) error {
	if len(args) > 0 {
		for name, run := range map[string]func(context.Context, *env, []string) error{
			"key": releaseKey, "sign": releaseSign, "verify": releaseVerify, "pin": releasePin,
			"compare": releaseCompare} {
			if name == args[0] {
				return run(ctx, e, args[1:])
			}
		}
	}
	fmt.Fprint(e.err, releaseCommand.long)
	return errUsage
}

// required parses flags of which the named ones must be given.
func (e *env) required(args []string, flags map[string]*string, names ...string) error {
	f := e.flags(releaseCommand)
	for name, v := range flags {
		f.StringVar(v, name, "", "")
	}
	if err := parse(f, args); err != nil {
		return err
	}
	for _, name := range names {
		if *flags[name] == "" {
			fmt.Fprintf(e.err, "krama: --%s is missing\nhint: krama help release\n", name)
			return errUsage
		}
	}
	return nil
}

// keyMark begins a release key's file, so that nobody takes it for a public key.
const keyMark = "krama-release-key "

// releaseKey draws a key that signs releases.
func releaseKey(_ context.Context, e *env, args []string) error {
	var out string
	if err := e.required(args, map[string]*string{"out": &out}, "out"); err != nil {
		return err
	}
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	// A key that was written over could sign nothing more, while programmes that pinned a release have its public half
	// in their roster.
	f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return hint{krama.E("release", krama.Conflict, "there is such a file already"),
			"a key is never written over; choose another name"}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s%x\n", keyMark, key.Seed())
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	// Last: a public half that was printed has its key on the disk.
	_, err = fmt.Fprintf(e.out, "%x\n", public)
	return err
}

// releaseSign signs a manifest.
func releaseSign(_ context.Context, e *env, args []string) error {
	var manifest, keyFile string
	if err := e.required(args, map[string]*string{"manifest": &manifest, "key": &keyFile}, "manifest",
		"key"); err != nil {
		return err
	}
	b, err := os.ReadFile(keyFile)
	if err != nil {
		return err
	}
	seed, err := hex.DecodeString(strings.TrimSpace(strings.TrimPrefix(string(b), keyMark)))
	if err != nil || len(seed) != ed25519.SeedSize || !strings.HasPrefix(string(b), keyMark) {
		return hint{krama.E("release", krama.Invalid, "this is not a release key"),
			"make one with: krama release key --out FILE"}
	}
	file, err := os.ReadFile(manifest)
	if err != nil {
		return err
	}
	// Signatures of others stay as they are. They are not checked here: whoever installs the release does it.
	s, r, err := seal.ParseSignedRelease(file)
	if err != nil {
		return err
	}
	s.Sign(ed25519.NewKeyFromSeed(seed))
	// Beside the manifest, then in its place: killed in between, the signatures that were there are there still.
	if err := os.WriteFile(manifest+".new", s.Marshal(), 0o600); err != nil {
		return err
	}
	if err := os.Rename(manifest+".new", manifest); err != nil {
		return err
	}
	describe(e, r)
	fmt.Fprintln(e.out, "signatures", len(s.Sigs))
	return nil
}

// describe prints what identifies a release, the digits as an admin compares them by voice.
func describe(e *env, r seal.Release) {
	fmt.Fprintf(e.out, "version %s\ncommit %s\nmanifest %x\nphone %x\ndigits %s\n", r.Version, r.Commit,
		r.ManifestHash(), r.Phone(), seal.ReleaseDigits(r.Phone()))
}

// readKeys reads the public halves of the release keys.
func readKeys(name string) ([][32]byte, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var keys [][32]byte
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		b, err := hex.DecodeString(line)
		// A key of small order takes signatures that nobody made, and would count as one of the two.
		k, weak := seal.SigKey(b)
		if err != nil || weak != nil {
			return nil, hint{krama.E("release", krama.Invalid, "a line of the keys is not a public key"),
				"each is 64 hexadecimal digits, as krama release key prints it"}
		}
		keys = append(keys, [32]byte(k))
	}
	return keys, nil
}

// readRelease reads a manifest that enough of the keys have signed.
// A signature in it that is false is an alarm: somebody has meddled with the file. Too few are NotAllowed: somebody has
// not signed yet.
func readRelease(manifest, keys string) (seal.Release, error) {
	file, err := os.ReadFile(manifest)
	if err != nil {
		return seal.Release{}, err
	}
	pinned, err := readKeys(keys)
	if err != nil {
		return seal.Release{}, err
	}
	r, err := seal.VerifyRelease(file, pinned, releaseNeed)
	switch krama.KindOf(err) {
	case krama.Tampered:
		return r, hint{fmt.Errorf("%w: %w", errAlarm, err), "use nothing of this release, and tell whoever signs them"}
	case krama.NotAllowed:
		return r, hint{err, "two of the people who hold release keys must sign before anybody installs it"}
	}
	return r, err
}

// notSigned ends a check that found n things wrong.
func notSigned(n int) error {
	if n == 0 {
		return nil
	}
	return hint{fmt.Errorf("%w: %d things are not what was signed", errAlarm, n),
		"use nothing of it, keep it as it is, and tell whoever signs the releases"}
}

// releaseVerify checks a manifest's signatures, and the files it names.
func releaseVerify(_ context.Context, e *env, args []string) error {
	var manifest, keys, dir, only string
	if err := e.required(args, map[string]*string{"manifest": &manifest, "keys": &keys, "dir": &dir, "only": &only},
		"manifest", "keys"); err != nil {
		return err
	}
	r, err := readRelease(manifest, keys)
	if err != nil {
		return err
	}
	describe(e, r)
	if dir == "" {
		return nil
	}
	bad, looked := 0, 0
	wrong := func(what, name string) { fmt.Fprintln(e.out, what, name); bad++ }
	named := map[string]bool{}
	for _, f := range r.Files {
		named[f.Name] = true
		if only != "" && f.Name != only {
			continue
		}
		looked++
		// A manifest's names lead out of no folder: ParseRelease refuses those that would.
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.Name)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			wrong("missing", f.Name)
		case err != nil:
			return err
		case seal.SHA256(b) != f.Sum:
			wrong("differs", f.Name)
		}
	}
	// A mistyped name must not end with status 0, as if the file had been looked at.
	if only != "" && looked == 0 {
		return hint{krama.E("release", krama.NotFound, "the release has no such file"),
			"names are as in the release's folder, for example bin/krama-linux-amd64"}
	}
	if only == "" { // a file nobody signed must not be taken for one of the release
		// The manifest lies beside the files as a rule, and cannot name itself.
		same, err := os.Stat(manifest)
		if err != nil {
			return err
		}
		err = fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || named[name] {
				return err
			}
			if st, err := d.Info(); err == nil && os.SameFile(st, same) {
				return nil
			}
			wrong("not in the release:", name)
			return nil
		})
		if err != nil {
			return err
		}
	}
	fmt.Fprintln(e.out, "files", looked)
	return notSigned(bad)
}

// releasePin has the programme pin a release: its phones and desks then say whether theirs is the one.
func releasePin(ctx context.Context, e *env, args []string) error {
	var manifest, keys, data string
	if err := e.required(args, map[string]*string{"manifest": &manifest, "keys": &keys, "data": &data}, "manifest",
		"keys"); err != nil {
		return err
	}
	r, err := readRelease(manifest, keys)
	if err != nil {
		return err
	}
	pinned, err := readKeys(keys)
	if err != nil {
		return err
	}
	// After the signatures: nobody gives her words for a release that she should not install.
	desk, _, err := openDesk(e, data)
	if err != nil {
		return err
	}
	defer desk.Close()
	way, err := desk.Admin().PinRelease(ctx, seal.ReleasePin{Manifest: r.ManifestHash(), Phone: r.Phone(),
		Keys: pinned})
	if err != nil {
		return err
	}
	describe(e, r)
	switch way {
	case seal.BySecond:
		fmt.Fprintln(e.err, "hint: a second admin must sign on her desk, under Devices, Waiting")
	case seal.AfterDay:
		fmt.Fprintln(e.err, "hint: every device shows it for a day; then the open desk does it, or: krama sync")
	}
	return nil
}

// relayMeta finds the relay in a served page. It stands in the content security policy too, so it must be an address
// and no more: a policy ends at a semicolon.
var relayMeta = regexp.MustCompile(
	`<meta name="relay" content="(https?://[A-Za-z0-9.:\[\]-]+(?:/[A-Za-z0-9._~/-]*)?)">`)

// releaseCompare fetches what a site serves and compares it with a release.
func releaseCompare(ctx context.Context, e *env, args []string) error {
	var address, manifest, keys, relay string
	flags := map[string]*string{"site": &address, "manifest": &manifest, "keys": &keys, "relay": &relay}
	if err := e.required(args, flags, "site", "manifest"); err != nil {
		return err
	}
	base, err := url.Parse(strings.TrimRight(address, "/"))
	if err != nil || base.Host == "" || (base.Scheme != "https" && base.Scheme != "http") {
		return hint{krama.E("release", krama.Invalid, "--site is not an address"),
			"for example --site https://help.example"}
	}
	// Without keys it can be asked whether a site serves what a manifest names; who vouches for the manifest is left
	// open, and said to be.
	var r seal.Release
	if keys != "" {
		r, err = readRelease(manifest, keys)
	} else {
		fmt.Fprintln(e.err, "signatures are not checked without --keys")
		var b []byte
		if b, err = os.ReadFile(manifest); err == nil {
			_, r, err = seal.ParseSignedRelease(b)
		}
	}
	if err != nil {
		return err
	}
	// What must be served is made from this program's own files, so the program has to be of the same release.
	own, err := site.PhoneRelease()
	if err != nil {
		return err
	}
	if own != r.Phone() {
		return hint{krama.E("release", krama.Conflict, "this program holds the phone's files of another release"),
			"run the krama that the manifest names, from the release's bin folder"}
	}
	// Honest sites differ in the relay's address. It is read out of the page and put into what the page is compared
	// with, so that every other byte counts.
	page, _, err := fetch(ctx, base, "/app/")
	if krama.KindOf(err) == krama.Offline {
		return err
	}
	found := relayMeta.FindSubmatch(page)
	if found == nil {
		fmt.Fprintln(e.out, "differs /app/")
		return notSigned(1)
	}
	served := string(found[1])
	fmt.Fprintf(e.out, "version %s\nphone %x\nrelay %s\n", r.Version, own, served)
	bad := 0
	wrong := func(what string) { fmt.Fprintln(e.out, what); bad++ }
	if relay != "" && strings.TrimRight(relay, "/") != served {
		wrong("phones are sent to another relay")
	}
	s, err := site.New(site.Config{Relay: served, Version: r.Version})
	if err != nil {
		return err
	}
	paths := append([]string{"/"}, s.Paths()...)
	for _, p := range paths {
		want, wantHeader := s.Served(p)
		got, header, err := fetch(ctx, base, p)
		// A site that stops answering ends it: half of a comparison must not read as a whole one.
		if krama.KindOf(err) == krama.Offline {
			return err
		}
		if err != nil || !bytes.Equal(got, want) {
			wrong("differs " + p)
			continue
		}
		// The type decides whether a browser runs a file, the policy whether a page loads others: same bytes under
		// another one are other code.
		for _, h := range []string{"Content-Type", "Content-Security-Policy"} {
			if strings.Join(header.Values(h), ", ") != wantHeader.Get(h) {
				wrong("differs " + p + " " + h)
			}
		}
	}
	fmt.Fprintln(e.out, "files", len(paths))
	return notSigned(bad)
}

// maxFetch is more than any file of a release; a site must not be able to fill this computer.
const maxFetch = 64 << 20

// fetch gets one file as a phone's browser would, and undoes the compression. It returns Offline when the site does not
// answer and Tampered when the answer is none that a site of ours gives.
func fetch(ctx context.Context, base *url.URL, path string) ([]byte, http.Header, error) {
	// For one file, on the line a phone has; the largest is the phone's core with two megabytes.
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", base.String()+path, nil)
	if err != nil {
		return nil, nil, err
	}
	// As phones ask: a site could serve other bytes to who asks otherwise.
	req.Header.Set("Accept-Encoding", "br")
	res, err := replica.Direct(&http.Client{}).Do(req)
	if res != nil && err != nil { // a redirect, which no site of ours gives
		return nil, nil, krama.E("release", krama.Tampered, "the site answers otherwise")
	}
	if err != nil {
		return nil, nil, hint{&krama.Error{Op: "release", Kind: krama.Offline, Err: err},
			"is the site running and reachable at " + base.String() + "?"}
	}
	defer res.Body.Close()
	tampered := krama.E("release", krama.Tampered, "the site answers otherwise")
	body := io.Reader(res.Body)
	switch res.Header.Get("Content-Encoding") {
	case "br":
		body = brotli.NewReader(body)
	case "":
	default:
		return nil, nil, tampered
	}
	// Counted after unpacking: a small answer may be packed from a very large one.
	b, err := io.ReadAll(io.LimitReader(body, maxFetch+1))
	if ctx.Err() != nil {
		return nil, nil, krama.E("release", krama.Offline, "the site is too slow")
	}
	if err != nil || len(b) > maxFetch || res.StatusCode != http.StatusOK {
		return nil, nil, tampered
	}
	return b, res.Header, nil
}
