package web

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/a-h/templ"

	"krama/locale"
)

// full is a connection that takes so many bytes and no more.
type full struct{ left int }

var errFull = errors.New("the line is cut")

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// TestPagesTellThatAWriteFailed: compiled pages do not ask after each write; the first error comes out at their end,
// also from within, and the page after it is whole.
func TestPagesTellThatAWriteFailed(t *testing.T) {
	ctx := context.WithValue(t.Context(), frameKey{}, &frame{Printer: locale.New("en"),
		Asset: func(string) string { return "" }})
	long := templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		for range 9000 {
			if err := icon("pen").Render(ctx, w); err != nil {
				return err
			}
		}
		return nil
	})
	if err := long.Render(ctx, &full{left: 5000}); !errors.Is(err, errFull) {
		t.Errorf("a page over a line that is cut: %v", err)
	}
	broken := errors.New("broken")
	inner := templ.ComponentFunc(func(context.Context, io.Writer) error { return broken })
	if err := layout(inner).Render(ctx, &full{left: 1 << 20}); !errors.Is(err, broken) {
		t.Errorf("a page with a part that fails: %v", err)
	}
	if err := icon("pen").Render(ctx, &full{left: 1 << 20}); err != nil {
		t.Errorf("the page after it: %v", err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := icon("pen").Render(gone, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("a page that nobody waits for: %v", err)
	}
}
