package journal

import (
	"errors"
	"io"
	"syscall/js"
)

// OPFS keeps files in the origin private file system of a browser, through synchronous access handles. It works only
// inside a dedicated worker.
type OPFS struct{ dir js.Value }

// NewOPFS opens the origin's private folder.
func NewOPFS() (*OPFS, error) {
	storage := js.Global().Get("navigator").Get("storage")
	if storage.IsUndefined() || storage.Get("getDirectory").IsUndefined() {
		return nil, errors.New("journal: this browser has no private files")
	}
	dir, err := await(storage.Call("getDirectory"))
	if err != nil {
		return nil, err
	}
	return &OPFS{dir}, nil
}

// await waits for a promise. It must not run on the event loop's own goroutine.
func await(p js.Value) (js.Value, error) {
	type result struct {
		v   js.Value
		err error
	}
	ch := make(chan result, 1)
	ok := js.FuncOf(func(_ js.Value, a []js.Value) any {
		var v js.Value
		if len(a) > 0 {
			v = a[0]
		}
		ch <- result{v: v}
		return nil
	})
	bad := js.FuncOf(func(_ js.Value, a []js.Value) any { ch <- result{err: jsError(a[0])}; return nil })
	defer ok.Release()
	defer bad.Release()
	p.Call("then", ok, bad)
	r := <-ch
	return r.v, r.err
}

// jsError gives a browser's exceptions this package's errors. Of others only the name is told.
func jsError(v js.Value) error {
	name := ""
	if v.Type() == js.TypeObject {
		name = v.Get("name").String()
	}
	switch name {
	case "QuotaExceededError":
		return ErrFull
	case "NoModificationAllowedError", "InvalidStateError":
		return ErrBusy
	}
	return errors.New("journal: browser: " + name)
}

// call runs a synchronous method and turns an exception into an error.
func call(v js.Value, method string, args ...any) (out js.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			if e, ok := r.(js.Error); ok {
				err = jsError(e.Value)
				return
			}
			// A fault of ours and no exception goes on.
			panic(r)
		}
	}()
	return v.Call(method, args...), nil
}

// Open implements Dir.
func (d *OPFS) Open(name string) (File, error) {
	opts := map[string]any{"create": true}
	h, err := await(d.dir.Call("getFileHandle", name, opts))
	if err != nil {
		return nil, err
	}
	access, err := await(h.Call("createSyncAccessHandle"))
	if err != nil {
		return nil, err
	}
	return &opfsFile{h: access}, nil
}

// Remove implements Dir.
func (d *OPFS) Remove(name string) error {
	// Open makes a file that is not there, so that removing it is no error.
	if f, err := d.Open(name); err == nil {
		if n, err := f.Size(); err == nil {
			f.WriteAt(make([]byte, min(n, 4096)), 0)
			f.Truncate(0)
			f.Sync()
		}
		f.Close()
	}
	_, err := await(d.dir.Call("removeEntry", name))
	return err
}

// Exists reports whether a file is there, without making it.
func (d *OPFS) Exists(name string) bool {
	_, err := await(d.dir.Call("getFileHandle", name))
	return err == nil
}

// opfsFile is one synchronous access handle, which the browser gives to one holder at a time. buf is an array of cap
// bytes in JavaScript, made when it is first needed.
type opfsFile struct {
	h   js.Value
	buf js.Value
	cap int
}

// scratch returns a JavaScript array of n bytes, reused between calls.
func (f *opfsFile) scratch(n int) js.Value {
	if f.cap < n || f.buf.IsUndefined() {
		// At least 64 KiB, so that commits which grow a little do not each need a new one.
		f.cap = max(n, 64<<10)
		f.buf = js.Global().Get("Uint8Array").New(f.cap)
	}
	return f.buf.Call("subarray", 0, n)
}

// ReadAt implements File.
func (f *opfsFile) ReadAt(b []byte, off int64) (int, error) {
	u := f.scratch(len(b))
	n, err := call(f.h, "read", u, map[string]any{"at": float64(off)})
	if err != nil {
		return 0, err
	}
	js.CopyBytesToGo(b, u)
	if n.Int() < len(b) {
		return n.Int(), io.EOF
	}
	return n.Int(), nil
}

// WriteAt implements File.
func (f *opfsFile) WriteAt(b []byte, off int64) (int, error) {
	u := f.scratch(len(b))
	js.CopyBytesToJS(u, b)
	n, err := call(f.h, "write", u, map[string]any{"at": float64(off)})
	if err != nil {
		return 0, err
	}
	// Fewer bytes and no exception is taken for a quota that is used up.
	if n.Int() < len(b) {
		return n.Int(), ErrFull
	}
	return n.Int(), nil
}

// Truncate implements File.
func (f *opfsFile) Truncate(size int64) error {
	_, err := call(f.h, "truncate", float64(size))
	return err
}

// Sync implements File.
func (f *opfsFile) Sync() error { _, err := call(f.h, "flush"); return err }

// Size implements File.
func (f *opfsFile) Size() (int64, error) {
	v, err := call(f.h, "getSize")
	if err != nil {
		return 0, err
	}
	return int64(v.Float()), nil
}

// Close implements File.
func (f *opfsFile) Close() error { _, err := call(f.h, "close"); return err }
