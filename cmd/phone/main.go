//go:build js

// Command phone is the core in the phone's worker: the same pages over the same replica as the desk's, with the
// browser's private files below and its fetch beside.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"syscall/js"
	"time"

	"krama"
	"krama/guide"
	"krama/journal"
	"krama/replica"
	"krama/seal"
	"krama/web"
	"krama/web/http"
)

// main tells the page what kept it from starting, by the error's kind alone. Afterwards it lives in its callbacks, and
// ends with the worker.
func main() {
	if err := run(); err != nil {
		js.Global().Call("postMessage", map[string]any{"failed": krama.KindOf(err).String()})
		return
	}
	select {}
}

// run opens the phone's files and answers the page until it ends the worker.
func run() error {
	// The page's first message, which worker.js left there before it started this program.
	c := js.Global().Get("kramaConfig")
	dir, err := journal.NewOPFS()
	if err != nil {
		return err
	}
	g, err := guide.Load()
	if err != nil {
		return err
	}
	now := time.Now
	// Assets names nothing: only a desk's whole page does, and the phone's page has its files already.
	server := web.New(web.Config{
		Host: web.Phone, Relay: c.Get("relay").String(), Demo: c.Get("demo").String() == "1",
		Version: c.Get("version").String(), Release: c.Get("release").String(),
		Guide: g, Rand: rand.Reader, Now: now, Storage: storage, Assets: func(string) string { return "" },
		OnLocked: func() { js.Global().Call("postMessage", map[string]any{"locked": true}) },
		Replica: replica.Config{Dir: dir, Rand: rand.Reader, Now: now, Platform: "phone", Cost: cost(),
			Dial: func(u string) replica.Remote { return fetch{u} }},
	})
	langs := c.Get("langs").String()
	// A goroutine for each request: one that waited for a promise on the event loop's own would wait for ever.
	js.Global().Set("kramaServe", js.FuncOf(func(_ js.Value, a []js.Value) any {
		id, method, path, body := a[0].Int(), a[1].String(), a[2].String(), a[3].String()
		go serve(server, langs, id, method, path, body)
		return nil
	}))
	js.Global().Call("postMessage", map[string]any{"ready": true})
	return nil
}

// cost is what a new vault's words cost to guess: the default, or half the memory on a phone that says it has 1 GB or
// less.
func cost() seal.Cost {
	if m := js.Global().Get("navigator").Get("deviceMemory"); m.Type() == js.TypeNumber && m.Float() <= 1 {
		return seal.CostLow
	}
	return seal.CostDefault
}

// serve answers one request of the page.
// id is the page's number of the request, because several may be under way; the page shows the answer to the newest.
func serve(h http.Handler, langs string, id int, method, path, body string) {
	a := http.Serve(h, langs, method, path, body)
	js.Global().Call("postMessage", map[string]any{"id": id, "status": a.Status, "location": a.Header().Get("Location"),
		"type": a.Header().Get("Content-Type"), "html": a.Body.String()})
}

// await waits for a promise.
func await(ctx context.Context, p js.Value) (js.Value, error) {
	type result struct {
		v  js.Value
		ok bool
	}
	// Room for one: where ctx ends first, the promise still comes to its end, and the callbacks are released.
	ch := make(chan result, 1)
	var ok, bad js.Func
	ok = js.FuncOf(func(_ js.Value, a []js.Value) any {
		ch <- result{a[0], true}
		ok.Release()
		bad.Release()
		return nil
	})
	bad = js.FuncOf(func(_ js.Value, a []js.Value) any {
		ch <- result{a[0], false}
		ok.Release()
		bad.Release()
		return nil
	})
	p.Call("then", ok, bad)
	select {
	case r := <-ch:
		if !r.ok {
			return r.v, errors.New("rejected")
		}
		return r.v, nil
	case <-ctx.Done():
		return js.Undefined(), ctx.Err()
	}
}

// fetch carries calls to the relay with the browser's fetch.
type fetch struct{ url string }

// Call implements replica.Remote.
func (f fetch) Call(ctx context.Context, path string, body []byte) ([]byte, time.Time, error) {
	u := js.Global().Get("Uint8Array").New(len(body))
	js.CopyBytesToJS(u, body)
	offline := krama.E("phone.fetch", krama.Offline, "")
	// text/plain and no head of our own: the browser then asks the relay no leave before each call (preflight). No
	// redirect is followed: whoever answers for the relay could lead a sealed call elsewhere.
	res, err := await(ctx, js.Global().Call("fetch", f.url+path, map[string]any{"method": "POST", "body": u,
		"credentials": "omit",
		"cache":       "no-store", "redirect": "error", "referrerPolicy": "no-referrer",
		"headers": map[string]any{"Content-Type": "text/plain"}}))
	if err != nil {
		return nil, time.Time{}, offline
	}
	clock := ""
	if h := res.Get("headers").Call("get", seal.TimeHeader); h.Type() == js.TypeString {
		clock = h.String()
	}
	var out []byte
	for reader := res.Get("body").Call("getReader"); ; {
		// piece by piece: what came before the line broke is not asked for again
		part, err := await(ctx, reader.Call("read"))
		if err != nil && res.Get("status").Int() == 200 {
			return out, time.Time{}, offline
		}
		if err != nil {
			return nil, time.Time{}, offline
		}
		if part.Get("done").Bool() {
			return replica.Answer(res.Get("status").Int(), clock, out)
		}
		v := part.Get("value")
		b := make([]byte, v.Length())
		js.CopyBytesToGo(b, v)
		out = append(out, b...)
	}
}

// storage asks what the browser says of this origin's data.
func storage() web.Storage {
	// The page of settings waits for it. A browser that does not say is shown as unknown.
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	m := js.Global().Get("navigator").Get("storage")
	p, err := await(ctx, m.Call("persisted"))
	if err != nil {
		return web.Storage{}
	}
	e, err := await(ctx, m.Call("estimate"))
	if err != nil {
		return web.Storage{}
	}
	return web.Storage{Known: true, Persisted: p.Bool(), Used: int64(e.Get("usage").Float()),
		Quota: int64(e.Get("quota").Float())}
}
