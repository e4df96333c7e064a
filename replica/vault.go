package replica

import (
	"io"
	"slices"

	"krama"
	"krama/journal"
	"krama/seal"
)

// HasVault reports whether the device has a vault. One of a later version is NotYet: nobody may begin anew over it.
func HasVault(d journal.Dir) (bool, error) {
	f, err := d.Open(vaultFile)
	if err != nil {
		return false, hostError("replica.HasVault", err)
	}
	defer f.Close()
	n, err := f.Size()
	if n > seal.VaultSize {
		return true, krama.E("replica.HasVault", krama.NotYet, "a vault of a later version")
	}
	return n == seal.VaultSize, hostError("replica.HasVault", err)
}

// WriteDecoy writes a vault with its own words that holds a random key and opens nothing.
func WriteDecoy(c Config, d journal.Dir, words string) error {
	var vk [32]byte
	if _, err := io.ReadFull(c.Rand, vk[:]); err != nil {
		return krama.Wrap("replica.WriteDecoy", err)
	}
	c.Dir = d
	return writeVaultFile(c, decoyFile, words, vk)
}

// RemoveDecoy takes the decoy vault away.
func RemoveDecoy(d journal.Dir) error { return hostError("replica.RemoveDecoy", d.Remove(decoyFile)) }

// HasDecoy reports whether there is a decoy vault.
func HasDecoy(d journal.Dir) bool { return len(readDecoy(d)) > 0 }

// readDecoy reads the file of the words that empty the device; nil when it is damaged.
func readDecoy(d journal.Dir) []byte {
	b, _ := readFile(d, decoyFile, seal.VaultSize)
	if len(b) != seal.VaultSize {
		return nil
	}
	return b
}

// IsDecoy reports whether the words are those of a decoy vault.
func IsDecoy(d journal.Dir, words string) bool {
	b := readDecoy(d)
	if b == nil {
		return false
	}
	_, err := seal.OpenVault(b, words, seal.Factors{}) // it never needs a passkey or the relay
	return err == nil
}

// writeVault seals the vault's key under words.
func writeVault(c Config, words string, vk [32]byte) error {
	return writeVaultFile(c, vaultFile, words, vk)
}

// writeVaultFile is writeVault, and the same for the decoy.
func writeVaultFile(c Config, name, words string, vk [32]byte) error {
	b, err := seal.SealVault(c.Rand, words, seal.Factors{}, c.cost(), vk)
	if err != nil {
		return err
	}
	return writeFile(c.Dir, name, b)
}

// OpenKey opens only a vault that needs no more than the words: the slow half of Unlock.
func OpenKey(d journal.Dir, words string) (vk [32]byte, err error) {
	lock, err := NewLock(d, words)
	if err != nil {
		return vk, err
	}
	return lock.vault.Open(seal.Factors{})
}

// readVault reads the vault's file, or says that there is none.
func readVault(d journal.Dir) ([]byte, error) {
	const op = "replica.Unlock"
	if has, err := HasVault(d); err != nil {
		return nil, err
	} else if !has {
		return nil, krama.E(op, krama.NotFound, "no vault")
	}
	if err := finishVault(d); err != nil {
		return nil, err
	}
	return readFile(d, vaultFile, seal.VaultSize)
}

// replaceVault writes another vault in place of the one that is there. Where it is cut, the old one stands or the new
// one will: never neither.
func replaceVault(d journal.Dir, b []byte) error {
	h := seal.SHA256(b)
	if err := writeFile(d, nextFile, slices.Concat(b, h[:])); err != nil {
		return err
	}
	return finishVault(d)
}

// finishVault finishes what replaceVault began.
func finishVault(d journal.Dir) error {
	b, err := readFile(d, nextFile, seal.VaultSize+32)
	if b == nil || err != nil {
		return err
	}
	// One that is not whole was cut while it was written: the vault that stands is untouched, and the rest goes.
	if len(b) == seal.VaultSize+32 && seal.SHA256(b[:seal.VaultSize]) == [32]byte(b[seal.VaultSize:]) {
		if err := writeFile(d, vaultFile, b[:seal.VaultSize]); err != nil {
			return err
		}
	}
	return hostError("replica.finishVault", d.Remove(nextFile))
}
