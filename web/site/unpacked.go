package site

import (
	"bytes"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
)

// unpacked returns what gives br's plain bytes: made when first asked for, once, and shared by everybody from then on.
// A caller who takes nothing compressed then costs her connection and nothing else, however slowly she reads. Callers
// must not change what it returns.
func unpacked(br []byte) func() ([]byte, error) {
	return sync.OnceValues(func() ([]byte, error) {
		size, err := io.Copy(io.Discard, brotli.NewReader(bytes.NewReader(br))) // so that nothing grows by doubling
		if err != nil {
			return nil, err
		}
		b := make([]byte, size)
		_, err = io.ReadFull(brotli.NewReader(bytes.NewReader(br)), b)
		return b, err
	})
}
