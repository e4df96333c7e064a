package runtime

import (
	"context"
	"html"
	"io"

	"github.com/a-h/templ"
)

// What scripts/compact makes of the generator's output calls this. It is Krama's own, not carried.

// Context is context.Context: generated files do not import it.
type Context = context.Context

// Page is a component that may be given children.
func Page(f func(ctx Context, b *Buffer, children templ.Component) error) templ.Component {
	return Part(func(ctx Context, b *Buffer) error {
		children := templ.GetChildren(ctx)
		if children == nil {
			children = templ.NopComponent
		}
		return f(templ.ClearChildren(ctx), b, children)
	})
}

// Part is a component that others are given as children.
func Part(f func(ctx Context, b *Buffer) error) templ.Component {
	return templ.ComponentFunc(func(ctx Context, w io.Writer) (err error) {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, existing := GetBuffer(w)
		if !existing {
			defer func() {
				if failed := ReleaseBuffer(b); err == nil {
					err = failed
				}
			}()
		}
		return f(templ.InitializeContext(ctx), b)
	})
}

// Show renders another component in its place.
func (b *Buffer) Show(ctx Context, c templ.Component) {
	if err := c.Render(ctx, b); b.failed == nil {
		b.failed = err
	}
}

// Put writes markup. Of this and the others, the first error is kept and told by ReleaseBuffer.
func (b *Buffer) Put(markup string) { b.b.WriteString(markup) }

// Text writes text, escaped.
func (b *Buffer) Text(s string) { b.b.WriteString(html.EscapeString(s)) }

// URL writes an address that was judged already, escaped.
func (b *Buffer) URL(u templ.SafeURL) { b.Text(string(u)) }
