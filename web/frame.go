package web

import (
	"context"
	"time"

	"krama"
	"krama/guide"
	"krama/locale"
	"krama/seal"
)

// deedRow is what a statement does, in the reader's words.
type deedRow struct {
	// Of is empty where a statement is about a circle or the programme. Kind is KindOrg for circle 0, for no circle,
	// and for one whose purpose is not known here.
	seal.Logged
	Of   string // the device or member it is about
	Kind krama.CircleKind
}

// announcedRow is what a lone admin has announced, as every page shows it.
type announcedRow struct {
	deedRow
	ID    string
	Who   string
	Mine  bool // this device announced it
	After time.Time
}

// frame is what every page has around its content.
type frame struct {
	// page makes it anew for every page. Nav is the part of the menu that is marked, Path where a change of language
	// leads back to. Unsent to Notices, and LastSync, are zero while the device is not open.
	*locale.Printer
	Title      string
	Nav        string
	Path       string
	Host       Host
	Demo       bool
	Open       bool
	Unsent     int
	Alarms     []string  // sentences
	Recovering time.Time // when a device that trustees brought in may act
	Announced  []announcedRow
	Admin      bool     // may take them back
	Notices    []string // of the public pages, in words
	Asset      func(string) string
	Once       string // the id of this page's forms
	Guide      *guide.Guide
	Now        time.Time
	Today      krama.Day
	LastSync   time.Time // zero before the first
}

// frameKey is where a page's frame lies in its context.
type frameKey struct{}

// fr returns the page's frame; every component prints through it.
func fr(ctx context.Context) *frame { return ctx.Value(frameKey{}).(*frame) }

// tr is a sentence in the page's language.
func tr(ctx context.Context, key string, args ...any) string { return fr(ctx).T(key, args...) }
