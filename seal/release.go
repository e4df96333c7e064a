package seal

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"

	"krama"
)

// Bounds of a release. A manifest within them is at most 36 KiB.
const (
	maxReleaseFiles = 256
	maxReleaseName  = 100 // also of a version
	maxReleaseSigs  = 16
)

// Release is what a version consists of: which commit it was built from and the SHA-256 of every file. Whoever builds
// the commit again with the same Go gets the same manifest, byte for byte; that, not the builder's word, is what
// signers sign.
type Release struct {
	Version string // 1 to 100 of a-z A-Z 0-9 . _ + -
	Commit  string // the source's full commit, 40 or 64 hexadecimal digits
	Files   []ReleaseFile
}

// ReleaseFile is one file of a release. Its name is a path of letters, digits and . _ + - between single slashes;
// no part begins or ends with a dot.
type ReleaseFile struct {
	Name string
	Sum  [32]byte
}

// phonePrefix begins the names of the files that phones run.
const phonePrefix = "phone/"

// Marshal encodes the manifest with its files in the order of their names. ParseRelease reads what it writes if every
// bound holds.
func (r Release) Marshal() []byte {
	items := [][]byte{[]byte(r.Version), []byte(r.Commit)}
	for _, f := range sortedFiles(r.Files) {
		items = append(items, []byte(f.Name), f.Sum[:])
	}
	return enc("release", items...)
}

// ManifestHash names the whole release: the SHA-256 of its manifest. It is what signers compare and a programme pins.
func (r Release) ManifestHash() [32]byte { return SHA256(r.Marshal()) }

// Phone is PhoneRelease of the release's phone files. The program that serves phones cannot know the manifest's hash,
// because the manifest holds the program's own; it can know this one.
func (r Release) Phone() [32]byte { return PhoneRelease(r.Files) }

// PhoneRelease names what phones run, whatever version it is called: a hash over the names and sums of the files under
// phone/.
func PhoneRelease(files []ReleaseFile) [32]byte {
	var items [][]byte
	for _, f := range sortedFiles(files) {
		if strings.HasPrefix(f.Name, phonePrefix) {
			items = append(items, []byte(f.Name), f.Sum[:])
		}
	}
	return Hash("release phone", items...)
}

// ReleaseDigits are what two people compare when a phone's screen and the office's stand side by side: four groups of
// five digits.
func ReleaseDigits(h [32]byte) string {
	var groups []string
	for i := range 4 {
		v := uint64(0)
		for _, b := range h[i*5 : i*5+5] {
			v = v<<8 | uint64(b)
		}
		groups = append(groups, fmt.Sprintf("%05d", v%100000))
	}
	return strings.Join(groups, " ")
}

// sortedFiles puts files in the order in which they are hashed.
func sortedFiles(files []ReleaseFile) []ReleaseFile {
	return slices.SortedFunc(slices.Values(files), func(a, b ReleaseFile) int {
		return strings.Compare(a.Name, b.Name)
	})
}

// ParseRelease reads a manifest. There is one encoding of each release: files stand in the order of their names, none
// twice.
func ParseRelease(b []byte) (Release, error) {
	bad := malformed("release")
	items, err := ParseFrame(b, 3+2*maxReleaseFiles)
	if err != nil || len(items) < 5 || len(items)%2 == 0 || string(items[0]) != "krama/1 release" {
		return Release{}, bad
	}
	r := Release{Version: string(items[1]), Commit: string(items[2])}
	if !plainName(r.Version) || strings.Contains(r.Version, "/") || !commitName(r.Commit) {
		return Release{}, bad
	}
	for i := 3; i < len(items); i += 2 {
		name, sum := string(items[i]), items[i+1]
		if !plainName(name) || len(sum) != 32 || (i > 3 && r.Files[len(r.Files)-1].Name >= name) {
			return Release{}, bad
		}
		r.Files = append(r.Files, ReleaseFile{name, [32]byte(sum)})
	}
	return r, nil
}

// plainName reports whether s is a path that stays inside the folder it is read from, under every system.
func plainName(s string) bool {
	if len(s) > maxReleaseName {
		return false
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == "" || strings.Trim(part, ".") != part || strings.Trim(part,
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-") != "" {
			return false
		}
	}
	return true
}

// commitName reports whether text names a commit.
func commitName(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

// ReleaseSig is one release key's signature over HASH("release sig", manifest).
type ReleaseSig struct {
	Key [32]byte
	Sig [64]byte
}

// SignedRelease is a manifest and who signed it, in the order of their keys.
type SignedRelease struct {
	Manifest []byte
	Sigs     []ReleaseSig
}

// releaseMessage is what a builder signs.
func releaseMessage(manifest []byte) []byte {
	h := Hash("release sig", manifest)
	return h[:]
}

// Sign adds key's signature. Signing twice changes nothing.
func (s *SignedRelease) Sign(key ed25519.PrivateKey) {
	n := ReleaseSig{[32]byte(key.Public().(ed25519.PublicKey)), [64]byte(ed25519.Sign(key, releaseMessage(s.Manifest)))}
	i, found := slices.BinarySearchFunc(s.Sigs, n, func(a, b ReleaseSig) int {
		return bytes.Compare(a.Key[:], b.Key[:])
	})
	if !found {
		s.Sigs = slices.Insert(s.Sigs, i, n)
	}
}

// Marshal encodes the manifest file: frame(manifest, key, signature, …).
func (s SignedRelease) Marshal() []byte {
	items := [][]byte{s.Manifest}
	for _, g := range s.Sigs {
		items = append(items, g.Key[:], g.Sig[:])
	}
	return Frame(items...)
}

// ParseSignedRelease reads a manifest file. It refuses a malformed manifest and keys out of order or twice, and checks
// no signature.
func ParseSignedRelease(b []byte) (SignedRelease, Release, error) {
	bad := malformed("release file")
	items, err := ParseFrame(b, 1+2*maxReleaseSigs)
	if err != nil || len(items)%2 == 0 {
		return SignedRelease{}, Release{}, bad
	}
	r, err := ParseRelease(items[0])
	if err != nil {
		return SignedRelease{}, Release{}, err
	}
	s := SignedRelease{Manifest: items[0]}
	for i := 1; i < len(items); i += 2 {
		if badSigKey(items[i]) || len(items[i+1]) != ed25519.SignatureSize || (i > 1 && bytes.Compare(items[i-2],
			items[i]) >= 0) {
			return SignedRelease{}, Release{}, bad
		}
		s.Sigs = append(s.Sigs, ReleaseSig{[32]byte(items[i]), [64]byte(items[i+1])})
	}
	return s, r, nil
}

// VerifyRelease reads a manifest file that at least need of the pinned keys have signed. It returns Invalid for a
// malformed file, Tampered when any signature in it is false, and NotAllowed when too few pinned keys signed; keys that
// are not pinned count for nothing.
func VerifyRelease(file []byte, pinned [][32]byte, need int) (Release, error) {
	if need < 1 {
		return Release{}, krama.E("seal.VerifyRelease", krama.Invalid, "a release needs a signature")
	}
	s, r, err := ParseSignedRelease(file)
	if err != nil {
		return Release{}, err
	}
	n, msg := 0, releaseMessage(s.Manifest)
	for _, g := range s.Sigs {
		if !verify(g.Key[:], msg, g.Sig[:]) {
			return Release{}, krama.E("seal.VerifyRelease", krama.Tampered, "a signature does not fit the manifest")
		}
		if slices.Contains(pinned, g.Key) {
			n++
		}
	}
	if n < need {
		return Release{}, krama.E("seal.VerifyRelease", krama.NotAllowed,
			fmt.Sprintf("%d of the pinned keys signed, %d must", n, need))
	}
	return r, nil
}
