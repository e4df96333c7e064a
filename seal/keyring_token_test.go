package seal

import (
	"encoding/hex"
	"testing"

	"krama"
)

// TestEraseTokenVector fixes the token's bytes, and that neither another key nor another device makes the same.
func TestEraseTokenVector(t *testing.T) {
	var k SubjectKey
	var d krama.DeviceID
	for i := range k {
		k[i] = byte(i)
	}
	for i := range d {
		d[i] = byte(0x80 + i)
	}
	token := k.EraseToken(d)
	if got := hex.EncodeToString(token[:]); got != "8150804ea4501a417bef38eb1e4d75c6" {
		t.Errorf("got %s", got)
	}
	other := d
	other[0] ^= 1
	if k.EraseToken(other) == token || (SubjectKey{}).EraseToken(d) == token {
		t.Error("another device or key makes the same token")
	}
}
