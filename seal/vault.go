package seal

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"io"

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

const vaultPRF = 1 // flag: a 32-byte WebAuthn PRF output is mixed in

// VaultSize is the length of a vault file.
const VaultSize = 1 + 1 + 4 + 4 + 16 + 16 + 48

// SealVault writes the vault file: the vault key under a passphrase and, when prf is not nil, a PRF output. The salt is
// fresh at every write.
func SealVault(rand io.Reader, pass string, prf []byte, cost Cost, vk [32]byte) ([]byte, error) {
	var salt [16]byte
	if _, err := io.ReadFull(rand, salt[:]); err != nil {
		return nil, krama.Wrap("seal.SealVault", err)
	}
	return sealVault(pass, prf, cost, salt, vk), nil
}

func sealVault(pass string, prf []byte, cost Cost, salt [16]byte, vk [32]byte) []byte {
	var flags byte
	if prf != nil {
		flags = vaultPRF
	}
	b := []byte{1, flags}
	b = append(b, u32(cost.Passes)...)
	b = append(b, u32(cost.KiB)...)
	b = append(b, salt[:]...)
	kek := vaultKEK(pass, prf, flags, cost, salt[:])
	b = append(b, Derive(kek, nil, 16, "vault check")...)
	return sealOnce(b, kek, vk[:], enc("vault", bytes.Clone(b)))
}

func vaultKEK(pass string, prf []byte, flags byte, cost Cost, salt []byte) []byte {
	a := argon2.IDKey([]byte(pass), salt, cost.Passes, cost.KiB, 1, 32)
	return Derive(append(a, prf...), salt, 32, "vault kek", []byte{flags}, u32(cost.Passes), u32(cost.KiB))
}

// OpenVault recovers the vault key. A wrong passphrase is CannotDecrypt; a file whose parameters were lowered, or whose
// body was changed, is Tampered; one of a later version is NotYet.
func OpenVault(file []byte, pass string, prf []byte) (vk [32]byte, err error) {
	if len(file) > 0 && file[0] > 1 {
		return vk, krama.E("seal.OpenVault", krama.NotYet, "version")
	}
	if len(file) != VaultSize || file[0] != 1 || file[1]&^vaultPRF != 0 {
		return vk, malformed("vault")
	}
	cost := Cost{binary.BigEndian.Uint32(file[2:]), binary.BigEndian.Uint32(file[6:])}
	if cost.Passes < CostFloor.Passes || cost.KiB < CostFloor.KiB || cost.Passes > 16 || cost.KiB > 1<<20 {
		return vk, krama.E("seal.OpenVault", krama.Tampered, "cost")
	}
	if (file[1]&vaultPRF != 0) != (prf != nil) {
		return vk, krama.E("seal.OpenVault", krama.CannotDecrypt, "passkey")
	}
	kek := vaultKEK(pass, prf, file[1], cost, file[10:26])
	if subtle.ConstantTimeCompare(Derive(kek, nil, 16, "vault check"), file[26:42]) != 1 {
		return vk, krama.E("seal.OpenVault", krama.CannotDecrypt, "words")
	}
	pt, err := openOnce(kek, file[42:], enc("vault", file[:42]))
	if err != nil {
		return vk, krama.E("seal.OpenVault", krama.Tampered, "body")
	}
	return [32]byte(pt), nil
}
