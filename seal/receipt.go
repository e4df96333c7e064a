package seal

import (
	"crypto/ed25519"
	"crypto/hpke"

	"golang.org/x/crypto/argon2"
)

// Receipt is what 20 digits open: the reporter's mailbox, the key that proves it is hers, and the key answers are
// sealed to.
type Receipt struct {
	Mailbox [16]byte
	Auth    ed25519.PrivateKey
	KEM     hpke.PrivateKey
}

// OpenReceipt derives a receipt from its digits. It costs one Argon2id of 32 MiB.
func OpenReceipt(digits string, site [16]byte) (*Receipt, error) {
	salt := Hash("receipt salt", site[:])
	a := argon2.IDKey([]byte(digits), salt[:16], 3, 32*1024, 1, 32)
	kem, err := hpke.MLKEM768X25519().NewPrivateKey(Derive(a, nil, 32, "receipt kem"))
	if err != nil {
		return nil, err
	}
	return &Receipt{
		Mailbox: [16]byte(Derive(a, nil, 16, "receipt mailbox")),
		Auth:    ed25519.NewKeyFromSeed(Derive(a, nil, 32, "receipt auth")),
		KEM:     kem,
	}, nil
}
