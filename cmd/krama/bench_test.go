package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strconv"
	"testing"

	"krama/web/site"
)

// TestBenchPhone measures the phone in a real browser when KRAMA_BENCH is set, and prints rows of a Markdown table.
func TestBenchPhone(t *testing.T) {
	if os.Getenv("KRAMA_BENCH") == "" {
		t.Skip("measured only by make bench")
	}
	s, err := site.New(site.Config{Relay: "http://localhost:1"})
	if err != nil {
		t.Fatal(err)
	}
	total, core := s.FirstVisit()
	row := func(what, got, must string) { fmt.Printf("| %s | %s | %s |\n", what, got, must) }
	row("phone binary, Brotli", fmt.Sprintf("%.2f MB", float64(core)/1e6), "≤ 1.8 MB")
	row("first visit, everything for working offline", fmt.Sprintf("%.2f MB", float64(total)/1e6), "≤ 2.2 MB")

	d := startDemo(t, t.TempDir(), freePort(t), "--contacts", "8400")
	b := startBrowser(t, t.TempDir())
	b.size(360, 640, false)
	words := b.enrolPhone(d)
	b.unlock(d, words)
	n := b.js(`document.querySelector('[data-unsent]').dataset.unsent`)
	if n != "0" {
		t.Fatal("still sending")
	}
	// The same words with the last one wrong cost the same key derivation and end at the gate.
	b.open(d.site + "/app/")
	b.words(words[:3])
	wrong := "zoom"
	if words[3] == wrong {
		wrong = "zit"
	}
	kdf := b.lastWord(wrong, `document.querySelector('.card.warn')`)
	b.words(words[:3])
	all := b.lastWord(words[3], `document.getElementById('pin')`)
	row("unlock to home with 10,000 records, key derivation apart", fmt.Sprintf("%.2f s (key derivation %.2f s)",
		(all-kdf)/1000, kdf/1000), "≤ 0.6 s")
	b.click(`a[href="/"].button`)
	b.waitFor(".rows a")

	turns := b.times(
		`['nav a[href="/people"]','.rows a','nav a[href="/"]','nav a[href="/settings"]','nav a[href="/"]','.rows a','a[href$="/contact"]']`, 70)
	row("page turn", fmt.Sprintf("p50 %.0f ms, p95 %.0f ms", turns[len(turns)/2], turns[len(turns)*95/100]),
		"p95 ≤ 80 ms")
	b.click(`nav a[href="/"]`)
	b.click(`.rows a`)
	b.waitFor(`a[href$="/contact"]`)
	var saves []float64
	for range 30 {
		b.click(`a[href$="/contact"]`)
		b.waitFor(`form[data-draft]`)
		saves = append(saves,
			b.ms(`new Promise(ok=>{const t=performance.now();const o=new MutationObserver(()=>{if(!document.querySelector('form[data-draft]')){o.disconnect();ok(performance.now()-t)}});o.observe(document.getElementById('app'),{childList:true,subtree:true});document.querySelector('form[data-draft] .bar button').click()})`))
	}
	sort.Float64s(saves)
	row("save of a contact, to the page that shows it", fmt.Sprintf("p50 %.0f ms, p95 %.0f ms", saves[len(saves)/2],
		saves[len(saves)*95/100]), "p95 ≤ 50 ms")
}

// ms runs a promise that resolves to milliseconds, and keeps the result on the page until it is read.
func (b *browser) ms(expr string) float64 {
	b.t.Helper()
	b.js(`(()=>{window.took=undefined;(` + expr + `).then(v=>window.took=v)})()`)
	b.wait("the measurement", "window.took!==undefined")
	f, err := strconv.ParseFloat(b.js("window.took"), 64)
	if err != nil {
		b.t.Fatal(err)
	}
	return f
}

// lastWord taps letters until the word shows, then measures from its tap until done is there.
func (b *browser) lastWord(word, done string) float64 {
	b.t.Helper()
	sel := fmt.Sprintf("button.word[value=%q]", word)
	for b.js(fmt.Sprintf("!!document.querySelector(%s)", quote(sel))) != "true" {
		before := b.js(`document.querySelector('form.tapper').outerHTML.length`)
		b.js(fmt.Sprintf(
			`[...document.querySelectorAll('button.key:not(.word)')].find(b => %q.startsWith(b.value)).click()`, word))
		b.wait("the letter", `document.querySelector('form.tapper').outerHTML.length != `+before)
	}
	return b.ms(`new Promise(ok=>{const t=performance.now();const o=new MutationObserver(()=>{if(` + done +
		`){o.disconnect();ok(performance.now()-t)}});o.observe(document.getElementById('app'),{childList:true,subtree:true});document.querySelector(` + quote(sel) + `).click()})`)
}

func quote(s string) string { b, _ := json.Marshal(s); return string(b) }

// times clicks through selectors and measures each turn from the tap to the new page.
func (b *browser) times(selectors string, n int) (out []float64) {
	b.t.Helper()
	for i := range n {
		out = append(out,
			b.ms(fmt.Sprintf(
				`new Promise(ok=>{const s=%s;const t=performance.now();const o=new MutationObserver(()=>{o.disconnect();requestAnimationFrame(()=>ok(performance.now()-t))});o.observe(document.getElementById('app'),{childList:true});document.querySelector(s[%d%%s.length]).click()})`, selectors, i)))
	}
	sort.Float64s(out)
	return out
}
