package replica

import (
	"io"

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

// decoyFile is where a phone keeps a vault that opens nothing and whose words destroy the real one.
const decoyFile = "duress"

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

func readDecoy(d journal.Dir) []byte {
	f, err := d.Open(decoyFile)
	if err != nil {
		return nil
	}
	b := make([]byte, seal.VaultSize)
	n, err := f.Size()
	if err == nil && n == seal.VaultSize {
		_, err = f.ReadAt(b, 0)
	}
	f.Close()
	if n != seal.VaultSize {
		d.Remove(decoyFile) // looking made it
	}
	if err != nil || n != seal.VaultSize {
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
	_, err := seal.OpenVault(b, words, seal.Factors{})
	return err == nil
}

func writeVault(c Config, words string, vk [32]byte) error {
	return writeVaultFile(c, vaultFile, words, vk)
}

func writeVaultFile(c Config, name, words string, vk [32]byte) error {
	const op = "replica.writeVault"
	cost := c.Cost
	if cost == (seal.Cost{}) {
		cost = seal.CostDefault
	}
	b, err := seal.SealVault(c.Rand, words, seal.Factors{}, cost, vk)
	if err != nil {
		return err
	}
	f, err := c.Dir.Open(name)
	if err != nil {
		return hostError(op, err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, 0); err != nil {
		return hostError(op, err)
	}
	return hostError(op, f.Sync())
}

// OpenKey opens only the vault: the slow half of Unlock.
func OpenKey(d journal.Dir, words string) (vk [32]byte, err error) {
	const op = "replica.Unlock"
	f, err := d.Open(vaultFile)
	if err != nil {
		return vk, hostError(op, err)
	}
	defer f.Close()
	b := make([]byte, seal.VaultSize)
	if n, err := f.Size(); err == nil && n > seal.VaultSize {
		return vk, krama.E(op, krama.NotYet, "a vault of a later version")
	} else if err != nil || n != seal.VaultSize {
		return vk, krama.E(op, krama.NotFound, "no vault")
	}
	if _, err := f.ReadAt(b, 0); err != nil {
		return vk, hostError(op, err)
	}
	return seal.OpenVault(b, words, seal.Factors{})
}
