//go:build !js

package replica

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"krama/seal"
)

// a wrong clock on an honest phone gets it removed.
// a wrong clock on the desk removes everybody.
// a full mailbox stops the rotation that shuts a removed device out.
// more than 8 MiB in a mailbox: no sync.
func TestHostileBigMailbox(t *testing.T) {
	w := newSmallWorld(t)
	ctx := context.Background()
	srv := httptest.NewServer(w.relay)
	defer srv.Close()
	a := w.phone()
	w.sync(a, w.desk)
	w.steals(a)
	box := w.desk.led.dev.Mailbox()
	for i := range 3 {
		var puts []seal.BoxPut
		for j := range 60 {
			b := make([]byte, 60<<10)
			b[0], b[1] = byte(i), byte(j)
			puts = append(puts, seal.BoxPut{Box: box, Item: b})
		}
		w.must(a.Admin().putBoxes(ctx, puts))
	}
	w.desk.remote = HTTP{Client: http.DefaultClient, URL: srv.URL}
	if err := w.desk.Sync(ctx, nil); err != nil {
		t.Error("the office cannot sync:", err)
	}
}
