package site

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"

	"krama"
	"krama/locale"
	"krama/web"
)

// start is the public origin's first page where there is no door. Outside the demo it only leads to the phone's
// program.
func (s *Site) start(w http.ResponseWriter, r *http.Request) {
	p := locale.New(locale.Match(r.Header.Get("Accept-Language")))
	if l := r.URL.Query().Get("l"); l != "" {
		p = locale.New(l)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	var b bytes.Buffer
	var err error
	if s.cfg.Office != nil {
		err = demoPage(p, s.names).Render(r.Context(), &b)
	} else {
		err = startPage(p, s.names).Render(r.Context(), &b)
	}
	if err != nil {
		http.Error(w, "render", http.StatusInternalServerError)
		return
	}
	w.Write(b.Bytes())
}

// demoScan is the demo's office scanning a phone: it takes the phone's code and answers with its own, as text and as a
// picture.
func (s *Site) demoScan(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(io.LimitReader(r.Body, 1024))
	if err == nil {
		var code string
		if code, err = s.cfg.Office.Scan(strings.TrimSpace(string(b))); err == nil {
			var svg strings.Builder
			if err = web.QR(code).Render(context.Background(), &svg); err == nil {
				io.WriteString(w, code+"\n"+strings.Replace(svg.String(), "<svg ",
					`<svg xmlns="http://www.w3.org/2000/svg" `, 1))
				return
			}
		}
	}
	demoFail(w, r, err)
}

// demoFinish has the demo's office enrol the phone that it scanned.
func (s *Site) demoFinish(w http.ResponseWriter, r *http.Request) {
	if err := s.cfg.Office.Finish(); err != nil {
		demoFail(w, r, err)
	}
}

// demoFail says in the visitor's language what stopped an enrolment.
func demoFail(w http.ResponseWriter, r *http.Request, err error) {
	p := locale.New(locale.Match(r.Header.Get("Accept-Language")))
	w.WriteHeader(krama.Status(err))
	io.WriteString(w, p.T(web.EnrolTrouble(err)))
}
