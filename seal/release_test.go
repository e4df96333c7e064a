package seal

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"krama"
)

var releaseCommit = strings.Repeat("0123456789abcdef", 3)[:40]

// testRelease is a release of fixed bytes and three release keys.
func testRelease() (Release, []ed25519.PrivateKey, [][32]byte) {
	r := Release{"v1.2.0", releaseCommit, []ReleaseFile{
		{"phone/krama.wasm", q32(0x40)}, {"bin/krama-linux-amd64", q32(0x10)}, {"phone/app.js", q32(0x30)},
		{"build.txt", q32(0x20)},
	}}
	var keys []ed25519.PrivateKey
	var pinned [][32]byte
	for i := range byte(3) {
		k := ed25519.NewKeyFromSeed(q(0x80+0x20*i, 32))
		keys, pinned = append(keys, k), append(pinned, [32]byte(k.Public().(ed25519.PublicKey)))
	}
	return r, keys, pinned
}

func signed(manifest []byte, keys ...ed25519.PrivateKey) SignedRelease {
	s := SignedRelease{Manifest: manifest}
	for _, k := range keys {
		s.Sign(k)
	}
	return s
}

// TestReleaseVectors holds the bytes of a release still: signed manifests outlive the version that wrote them.
func TestReleaseVectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/release.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors map[string]string
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	r, keys, pinned := testRelease()
	s := signed(r.Marshal(), keys[2], keys[0])
	mh, ph := r.ManifestHash(), r.Phone()
	for name, got := range map[string]string{
		"manifest": hex.EncodeToString(r.Marshal()), "manifest_hash": hex.EncodeToString(mh[:]),
		"phone_hash":   hex.EncodeToString(ph[:]),
		"phone_digits": ReleaseDigits(ph), "file": hex.EncodeToString(s.Marshal()),
		"key_0": hex.EncodeToString(pinned[0][:]), "key_1": hex.EncodeToString(pinned[1][:]),
		"key_2": hex.EncodeToString(pinned[2][:]),
	} {
		if vectors[name] != got {
			t.Errorf("%s: got %s want %s", name, got, vectors[name])
		}
		delete(vectors, name)
	}
	for name := range vectors {
		t.Errorf("%s is not checked", name)
	}
}

func TestRelease(t *testing.T) {
	r, keys, pinned := testRelease()
	got, err := ParseRelease(r.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	if got.Version != r.Version || got.Commit != r.Commit || len(got.Files) != 4 || got.Files[0] != r.Files[1] ||
		got.ManifestHash() != r.ManifestHash() {
		t.Errorf("got %+v", got)
	}
	for _, two := range [][]ed25519.PrivateKey{{keys[0], keys[1]}, {keys[1], keys[2]}, {keys[2], keys[0]}} {
		if v, err := VerifyRelease(signed(r.Marshal(), two...).Marshal(), pinned, 2); err != nil ||
			v.Phone() != r.Phone() {
			t.Errorf("two of three: %v", err)
		}
	}
	once, twice := signed(r.Marshal(), keys[0]), signed(r.Marshal(), keys[0], keys[0])
	if !bytes.Equal(once.Marshal(), twice.Marshal()) {
		t.Error("signing twice is not signing once")
	}
}

func TestPhoneRelease(t *testing.T) {
	r, _, _ := testRelease()
	want := r.Phone()
	r.Version, r.Files[1].Sum[0] = "v9", 1
	if r.Phone() != want {
		t.Error("a desk's binary changes what phones run")
	}
	r.Files[2].Sum[0] ^= 1
	if r.Phone() == want {
		t.Error("a changed script is the same phone release")
	}
}

func TestReleaseRefused(t *testing.T) {
	r, keys, pinned := testRelease()
	m := func(change func(*Release)) []byte {
		c := r
		c.Files = append([]ReleaseFile(nil), r.Files...)
		change(&c)
		return c.Marshal()
	}
	files := func(n int) (out []ReleaseFile) {
		for i := range n {
			out = append(out, ReleaseFile{Name: fmt.Sprintf("f%04d", i)})
		}
		return out
	}
	name := func(s string) []byte { return m(func(r *Release) { r.Files[0].Name = s }) }
	sum, commit := make([]byte, 32), []byte(releaseCommit)
	manifests := map[string][]byte{
		"empty":              nil,
		"cut":                r.Marshal()[:200],
		"one byte more":      append(r.Marshal(), 0),
		"other label":        enc("releasf", []byte("v1"), commit, []byte("a"), sum),
		"no files":           m(func(r *Release) { r.Files = nil }),
		"too many files":     m(func(r *Release) { r.Files = files(maxReleaseFiles + 1) }),
		"a name without sum": enc("release", []byte("v1"), commit, []byte("a"), sum, []byte("b")),
		"short sum":          enc("release", []byte("v1"), commit, []byte("a"), sum[:31]),
		"out of order":       enc("release", []byte("v1"), commit, []byte("b"), sum, []byte("a"), sum),
		"a file twice":       enc("release", []byte("v1"), commit, []byte("a"), sum, []byte("a"), sum),
		"no version":         m(func(r *Release) { r.Version = "" }),
		"long version":       m(func(r *Release) { r.Version = strings.Repeat("v", maxReleaseName+1) }),
		"version with space": m(func(r *Release) { r.Version = "v1 beta" }),
		"version with slash": m(func(r *Release) { r.Version = "v1/2" }),
		"short commit":       m(func(r *Release) { r.Commit = releaseCommit[:12] }),
		"commit in capitals": m(func(r *Release) { r.Commit = strings.ToUpper(releaseCommit) }),
		"no name":            name(""),
		"long name":          name(strings.Repeat("n", maxReleaseName+1)),
		"name from the root": name("/etc/passwd"),
		"name above":         name("a/../../b"),
		"name of here":       name("a/./b"),
		"two slashes":        name("a//b"),
		"a folder's name":    name("a/"),
		"a dot at the end":   name("a."),
		"hidden":             name(".a/b"),
		"backslash":          name(`a\b`),
		"drive":              name("c:b"),
		"control character":  name("a\nb"),
		"not ASCII":          name("é"),
	}
	for what, b := range manifests {
		if _, err := ParseRelease(b); krama.KindOf(err) != krama.Invalid {
			t.Errorf("%s: got %v want invalid", what, err)
		}
	}
	if _, err := ParseRelease(m(func(r *Release) { r.Files = files(maxReleaseFiles) })); err != nil {
		t.Errorf("as many files as allowed: %v", err)
	}

	manifest := r.Marshal()
	two := signed(manifest, keys[0], keys[1])
	broken := func(change func(*SignedRelease)) []byte {
		c := SignedRelease{two.Manifest, append([]ReleaseSig(nil), two.Sigs...)}
		change(&c)
		return c.Marshal()
	}
	stranger := ed25519.NewKeyFromSeed(q(0xf0, 32))
	other := m(func(r *Release) { r.Version = "v1.2.1" })
	bare := ed25519.Sign(keys[2], manifest)
	cases := []struct {
		what   string
		file   []byte
		pinned [][32]byte
		need   int
		want   krama.Kind
	}{
		{"nothing", nil, pinned, 2, krama.Invalid},
		{"a manifest that is not a file", manifest, pinned, 2, krama.Invalid},
		{"a key without signature", Frame(manifest, pinned[0][:]), pinned, 2, krama.Invalid},
		{"short signature", Frame(manifest, pinned[0][:], sum), pinned, 2, krama.Invalid},
		{"short key", Frame(manifest, pinned[0][:31], make([]byte, 64)), pinned, 2, krama.Invalid},
		{"a key twice", broken(func(s *SignedRelease) { s.Sigs[1] = s.Sigs[0] }), pinned, 2, krama.Invalid},
		{"keys out of order", broken(func(s *SignedRelease) { s.Sigs[0], s.Sigs[1] = s.Sigs[1], s.Sigs[0] }), pinned, 2,
			krama.Invalid},
		{"too many signatures", broken(func(s *SignedRelease) { s.Sigs = make([]ReleaseSig, maxReleaseSigs+1) }),
			pinned, 2, krama.Invalid},
		{"malformed manifest", signed(manifest[:len(manifest)-1], keys...).Marshal(), pinned, 2, krama.Invalid},
		{"none needed", two.Marshal(), pinned, 0, krama.Invalid},
		{"unsigned", signed(manifest).Marshal(), pinned, 2, krama.NotAllowed},
		{"one of three", signed(manifest, keys[1]).Marshal(), pinned, 2, krama.NotAllowed},
		{"one and a stranger", signed(manifest, keys[1], stranger).Marshal(), pinned, 2, krama.NotAllowed},
		{"one, pinned twice", signed(manifest, keys[1]).Marshal(), [][32]byte{pinned[1], pinned[1]}, 2,
			krama.NotAllowed},
		{"no keys pinned", two.Marshal(), nil, 2, krama.NotAllowed},
		{"another manifest under the signatures", broken(func(s *SignedRelease) { s.Manifest = other }), pinned, 2,
			krama.Tampered},
		{"a bit of a signature", broken(func(s *SignedRelease) { s.Sigs[1].Sig[9] ^= 1 }), pinned, 2, krama.Tampered},
		{"a signature under another's key", broken(func(s *SignedRelease) { s.Sigs[1].Sig = s.Sigs[0].Sig }), pinned, 2,
			krama.Tampered},
		{"the manifest signed without the label", Frame(manifest, pinned[2][:], bare), pinned, 1, krama.Tampered},
	}
	for _, c := range cases {
		if _, err := VerifyRelease(c.file, c.pinned, c.need); err == nil || krama.KindOf(err) != c.want {
			t.Errorf("%s: got %v want %v", c.what, err, c.want)
		}
	}
}

func FuzzRelease(f *testing.F) {
	r, keys, pinned := testRelease()
	f.Add(r.Marshal())
	f.Add(signed(r.Marshal(), keys[:2]...).Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := ParseRelease(b); err == nil && !bytes.Equal(r.Marshal(), b) {
			t.Error("a manifest does not encode to itself")
		}
		if s, _, err := ParseSignedRelease(b); err == nil && !bytes.Equal(s.Marshal(), b) {
			t.Error("a manifest file does not encode to itself")
		}
		if v, err := VerifyRelease(b, pinned, 2); err == nil && v.ManifestHash() != r.ManifestHash() {
			t.Error("a release nobody signed is accepted")
		}
	})
}
