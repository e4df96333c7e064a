package seal

import (
	"crypto/ed25519"
	"crypto/hpke"
	"encoding/base32"
	"io"
	"strings"

	"krama"
)

// RecoveryKey is the trustees' key, made from the seed that k of them recombine. It is a device that is in no roster:
// it opens wraps and signs recovery.use, and nothing else.
func RecoveryKey(seed [32]byte) (*Device, error) {
	k, err := hpke.MLKEM768X25519().NewPrivateKey(Derive(seed[:], nil, 32, "recovery kem"))
	if err != nil {
		return nil, krama.Wrap("seal.RecoveryKey", err)
	}
	return &Device{Sig: ed25519.NewKeyFromSeed(Derive(seed[:], nil, 32, "recovery sig")), KEM: k, Platform: "recovery"},
		nil
}

// ID names the trustees' key like a device.
func (t *TrusteesSet) ID() krama.DeviceID { return DeviceID(t.SigPub, [16]byte{}) }

// NewTrustees draws a seed, splits it among n people of whom any k recover, and forgets it.
func NewTrustees(rand io.Reader, k, n int) (*TrusteesSet, []Share, error) {
	const op = "seal.NewTrustees"
	var seed [32]byte
	var set [4]byte
	for _, b := range [][]byte{seed[:], set[:]} {
		if _, err := io.ReadFull(rand, b); err != nil {
			return nil, nil, krama.Wrap(op, err)
		}
	}
	shares, err := Split(rand, seed, set, k, n)
	if err != nil {
		return nil, nil, err
	}
	key, err := RecoveryKey(seed)
	if err != nil {
		return nil, nil, err
	}
	t := &TrusteesSet{Set: set, K: byte(k), N: byte(n), KemPub: key.KEM.PublicKey().Bytes(), SigPub: key.SigPub()}
	for _, s := range shares {
		t.Commits = append(t.Commits, s.Commit())
	}
	clear(seed[:])
	return t, shares, nil
}

// Holds reports whether a share is the one the roster committed to.
func (t *TrusteesSet) Holds(s Share) bool {
	return s.Set == t.Set && s.K == t.K && s.N == t.N && s.X >= 1 && int(s.X) <= len(t.Commits) &&
		t.Commits[s.X-1] == s.Commit()
}

// Card is what a trustee keeps: her share, the organisation it belongs to, and where its relay was. The relay's address
// needs no trust; the organisation's id is what makes a recovered programme the right one.
type Card struct {
	Share Share
	Org   krama.OrgID
	Relay string
}

// String is the card's text.
func (c Card) String() string {
	return c.Share.String() + "." + scanText.EncodeToString(c.Org[:]) + "." + scanText.EncodeToString([]byte(c.Relay))
}

// ParseCard reads a card's text.
func ParseCard(text string) (c Card, err error) {
	parts := strings.Split(strings.ToUpper(strings.Join(strings.Fields(krama.Plain(text)), "")), ".")
	if len(parts) != 3 {
		return c, malformed("trustee card")
	}
	if c.Share, err = ParseShare(parts[0]); err != nil {
		return c, err
	}
	enc := base32.StdEncoding.WithPadding(base32.NoPadding)
	org, err1 := enc.DecodeString(parts[1])
	relay, err2 := enc.DecodeString(parts[2])
	if err1 != nil || err2 != nil || len(org) != 32 || len(relay) > 256 {
		return c, malformed("trustee card")
	}
	c.Org, c.Relay = krama.OrgID(org), string(relay)
	return c, nil
}
