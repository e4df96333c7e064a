package replica

import (
	"context"
	"crypto/ed25519"
	"io"
	"time"

	"krama"
	"krama/seal"
)

// SiteCaller is a public site that runs in a process of its own: it asks its relay for what the programme publishes,
// and hands it what services say of slips. Its key is in the relay's folder; it opens nothing else.
type SiteCaller struct {
	c   caller
	key ed25519.PrivateKey
}

// NewSiteCaller calls a relay with a site's key.
func NewSiteCaller(remote Remote, key ed25519.PrivateKey, rand io.Reader, now func() time.Time) *SiteCaller {
	return &SiteCaller{caller{link: &link{}, remote: remote, rand: rand, now: now}, key}
}

// call makes a call in a public site's name.
func (s *SiteCaller) call(ctx context.Context, path string, payload []byte) ([]byte, error) {
	h := seal.SHA256(s.key.Public().(ed25519.PublicKey))
	return s.c.call(ctx, s.key, path, [16]byte(h[:16]), payload)
}

// Door is what the relay's programme publishes; NotFound while that is nothing.
func (s *SiteCaller) Door(ctx context.Context) ([]byte, error) {
	return s.call(ctx, seal.PathDoorGet, nil)
}

// AnswerSlip hands over what a service says of a slip.
func (s *SiteCaller) AnswerSlip(ctx context.Context, code krama.SlipCode, what uint8) error {
	_, err := s.call(ctx, seal.PathSlip, seal.SlipCall{Box: seal.SlipBox(code), What: what}.Marshal())
	return err
}
