package main

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"krama"
)

// visitSite asks the public site for a page as a phone's browser does, so that whoever serves another page to the
// office than to visitors has only the office's own address to tell it by. A redirect is an answer and is not followed:
// it could lead into the office's network.
func visitSite(ctx context.Context, site string, form url.Values, lang string) ([]byte, error) {
	const op = "visitSite"
	// The desk's daily work waits for this look, and a site may be slow on purpose.
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, site, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, krama.E(op, krama.Invalid, "address")
	}
	origin := strings.TrimSuffix(site, "/")
	// What Chrome sends from Android, which names no model any more. The origin is the site's own: its forms post to
	// itself.
	for k, v := range map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Origin": origin,
		"Accept-Language": lang + ";q=0.9,en;q=0.8",
		"Accept":          "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
		"User-Agent": "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 " +
			"Mobile Safari/537.36"} {
		r.Header.Set(k, v)
	}
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	// Whatever goes wrong is Offline without a cause, which would name the address.
	res, err := c.Do(r)
	if err != nil {
		return nil, krama.E(op, krama.Offline, "")
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, krama.E(op, krama.Offline, "")
	}
	// A page is some tens of kilobytes; whoever answers must not fill this computer's memory.
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, krama.E(op, krama.Offline, "")
	}
	return b, nil
}
