package seal

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"io"
	"slices"

	"golang.org/x/crypto/argon2"

	"krama"
)

// SHA256 hashes plain bytes, for ids of files and requests.
func SHA256(b []byte) [32]byte { return sha256.Sum256(b) }

// Cost is the price of one guess at a passphrase: Argon2id passes and memory in KiB, one lane.
type Cost struct{ Passes, KiB uint32 }

// Costs. Below CostFloor nothing is written or read, so that a tampered file cannot make guessing cheap.
var (
	CostFloor   = Cost{2, 19 * 1024}
	CostLow     = Cost{3, 32 * 1024}
	CostDefault = Cost{3, 64 * 1024}
)

// What is mixed into a vault's key beside the words, as its flags say.
const (
	vaultPRF    = 1 // a passkey's PRF output
	vaultPepper = 2 // a value that the relay keeps
)

// VaultSize is the length of a vault file.
const VaultSize = 1 + 1 + 4 + 4 + 16 + 16 + 48

// vaultHead is how much of a vault file comes before its check.
const vaultHead = VaultSize - 16 - 48

// Factors are what opens a vault beside the words, 32 bytes each; nil is one that is not used.
type Factors struct {
	PRF    []byte // what a passkey makes of the vault's question
	Pepper []byte // what the relay keeps for the device
}

// flags are the factors beside the words, as the vault's head names them.
func (f Factors) flags() (out byte) {
	if f.PRF != nil {
		out |= vaultPRF
	}
	if f.Pepper != nil {
		out |= vaultPepper
	}
	return out
}

// Vault is a vault whose words were given, right or wrong: the slow part is done, and other factors may be missing yet.
// It tells nothing about whether the words are right; only Open does.
type Vault struct {
	head []byte // version, flags, cost and salt, as they stand in the file
	body []byte // check and sealed key; nil in a vault that is new
	a    []byte // Argon2id of the words
}

// NewVault begins a vault under words, with a fresh salt.
func NewVault(rand io.Reader, pass string, cost Cost) (*Vault, error) {
	var salt [16]byte
	if _, err := io.ReadFull(rand, salt[:]); err != nil {
		return nil, krama.Wrap("seal.NewVault", err)
	}
	return newVault(pass, cost, salt), nil
}

// newVault begins a vault; stretching the words is what takes the time.
func newVault(pass string, cost Cost, salt [16]byte) *Vault {
	b := append([]byte{1, 0}, u32(cost.Passes)...)
	b = append(append(b, u32(cost.KiB)...), salt[:]...)
	return &Vault{head: b, a: stretch(pass, cost, salt[:])}
}

// stretch makes a key of words, at a cost that whoever guesses pays for each guess.
func stretch(pass string, cost Cost, salt []byte) []byte {
	return argon2.IDKey([]byte(pass), salt, cost.Passes, cost.KiB, 1, 32)
}

// ReadVault reads a vault file and stretches the words. A file whose cost was lowered is Tampered; one of a later
// version, or with a factor this version does not know, is NotYet.
func ReadVault(file []byte, pass string) (*Vault, error) {
	const op = "seal.ReadVault"
	if len(file) > 0 && file[0] > 1 {
		return nil, krama.E(op, krama.NotYet, "version")
	}
	if len(file) != VaultSize || file[0] != 1 {
		return nil, malformed("vault")
	}
	if file[1]&^(vaultPRF|vaultPepper) != 0 {
		return nil, krama.E(op, krama.NotYet, "factor")
	}
	cost := Cost{binary.BigEndian.Uint32(file[2:]), binary.BigEndian.Uint32(file[6:])}
	if cost.Passes < CostFloor.Passes || cost.KiB < CostFloor.KiB || cost.Passes > 16 || cost.KiB > 1<<20 {
		return nil, krama.E(op, krama.Tampered, "cost")
	}
	return &Vault{bytes.Clone(file[:vaultHead]), bytes.Clone(file[vaultHead:]), stretch(pass, cost,
		file[10:vaultHead])}, nil
}

// NeedsPRF reports whether the vault opens only with a passkey.
func (v *Vault) NeedsPRF() bool { return v.head[1]&vaultPRF != 0 }

// NeedsPepper reports whether the vault opens only with what the relay keeps.
func (v *Vault) NeedsPepper() bool { return v.head[1]&vaultPepper != 0 }

// derive makes a key of all factors, bound to the vault's head.
func (v *Vault) derive(f Factors, n int, label string) []byte {
	h := v.head
	return Derive(slices.Concat(v.a, f.PRF, f.Pepper), h[10:], n, label, h[1:2], h[2:6], h[6:10])
}

// PepperKey signs what is asked of the relay before the vault is open. It comes from the words and, when there is one,
// the passkey; the salt, which is on the device alone, keeps whoever has only the public half from trying words.
func (v *Vault) PepperKey(prf []byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(v.derive(Factors{PRF: prf}, 32, "pepper access"))
}

// LeaseKey seals the pepper on the device for as long as it may be opened without the relay.
func (v *Vault) LeaseKey(prf []byte) Local {
	return Local{[32]byte(v.derive(Factors{PRF: prf}, 32, "pepper lease"))}
}

// With returns the new vault as one with these factors, whose PepperKey and LeaseKey are those of the file that Seal
// makes.
func (v *Vault) With(f Factors) *Vault {
	h := bytes.Clone(v.head)
	h[1] = f.flags()
	return &Vault{head: h, a: v.a}
}

// Seal returns the vault file that holds vk under the words and these factors.
func (v *Vault) Seal(f Factors, vk [32]byte) []byte {
	v = v.With(f)
	kek := v.derive(f, 32, "vault kek")
	b := append(v.head, Derive(kek, nil, 16, "vault check")...)
	return sealOnce(b, kek, vk[:], enc("vault", bytes.Clone(b)))
}

// Open recovers the vault key. Wrong words, a wrong factor, or others than the flags say, are CannotDecrypt; a file
// whose body was changed is Tampered.
func (v *Vault) Open(f Factors) (vk [32]byte, err error) {
	const op = "seal.OpenVault"
	if v.head[1] != f.flags() || v.body == nil {
		return vk, krama.E(op, krama.CannotDecrypt, "factors")
	}
	kek := v.derive(f, 32, "vault kek")
	if subtle.ConstantTimeCompare(Derive(kek, nil, 16, "vault check"), v.body[:16]) != 1 {
		return vk, krama.E(op, krama.CannotDecrypt, "words")
	}
	pt, err := openOnce(kek, v.body[16:], enc("vault", slices.Concat(v.head, v.body[:16])))
	if err != nil {
		return vk, krama.E(op, krama.Tampered, "body")
	}
	return [32]byte(pt), nil
}

// SealVault writes a vault file at once: the vault key under words and factors. The salt is fresh at every write.
func SealVault(rand io.Reader, pass string, f Factors, cost Cost, vk [32]byte) ([]byte, error) {
	v, err := NewVault(rand, pass, cost)
	if err != nil {
		return nil, err
	}
	return v.Seal(f, vk), nil
}

// OpenVault opens a vault file at once.
func OpenVault(file []byte, pass string, f Factors) (vk [32]byte, err error) {
	v, err := ReadVault(file, pass)
	if err != nil {
		return vk, err
	}
	return v.Open(f)
}
