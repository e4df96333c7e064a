package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// program builds krama once and returns its path.
func program(t testing.TB) string {
	t.Helper()
	if p := os.Getenv("KRAMA_PROGRAM"); p != "" {
		return p
	}
	building.Lock()
	defer building.Unlock()
	p := filepath.Join(buildDir, "krama")
	if _, err := os.Stat(p); err != nil {
		out, err := exec.Command("go", "build", "-o", p, ".").CombinedOutput()
		if err != nil {
			t.Fatalf("build: %v\n%s", err, out)
		}
	}
	return p
}

var (
	buildDir string
	building sync.Mutex
)

func TestMain(m *testing.M) {
	if runChild() {
		return
	}
	dir, err := os.MkdirTemp("", "krama-test-")
	if err != nil {
		panic(err)
	}
	buildDir = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// demoProcess is a running `krama demo`.
type demoProcess struct {
	cmd               *exec.Cmd
	site, desk, words string
}

// freePort finds three neighbouring free ports.
func freePort(t testing.TB) int {
	t.Helper()
	for {
		p := 20000 + (os.Getpid()%10000+3*int(ports.Add(1)))%40000 // no two tests of this run are given the same
		ok := true
		for i := range 3 {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p+i))
			if err != nil {
				ok = false
				break
			}
			l.Close()
		}
		if ok {
			return p
		}
	}
}

var ports atomic.Int32

func startDemo(t testing.TB, data string, port int, args ...string) *demoProcess {
	t.Helper()
	d := &demoProcess{}
	d.cmd = exec.Command(program(t), append([]string{"demo", "--data", data, "--port", fmt.Sprint(port)}, args...)...)
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	d.cmd.Stderr = &stderr
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.kill)
	sc := bufio.NewScanner(out)
	for sc.Scan() {
		line := sc.Text()
		if m := regexp.MustCompile(`^  desk\s+(\S+)`).FindStringSubmatch(line); m != nil {
			d.desk = m[1]
		}
		if m := regexp.MustCompile(`^  words\s+((\S+ ){3}\S+)`).FindStringSubmatch(line); m != nil {
			d.words = m[1]
		}
		if strings.HasPrefix(line, "ready in") {
			d.site = fmt.Sprintf("http://localhost:%d", port+1)
			go func() {
				for sc.Scan() {
				}
			}()
			return d
		}
	}
	t.Fatalf("the demo did not start: %s", stderr.String())
	return nil
}

func (d *demoProcess) kill() {
	if d.cmd.ProcessState == nil {
		d.cmd.Process.Kill()
		d.cmd.Wait()
	}
}

// browser is one Chromium, or one Firefox, over a profile folder.
type browser struct {
	t       testing.TB
	ctx     context.Context
	cancel  func()
	profile string
	fox     *firefox // nil: Chromium, behind ctx
}

func startBrowser(t testing.TB, profile string) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is not installed; run: make tools")
	}
	opts := []chromedp.ExecAllocatorOption{chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.ExecPath(path),
		chromedp.UserDataDir(profile),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-background-networking",
			true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-quic", true), chromedp.Flag("accept-lang", "en"),
		chromedp.WindowSize(360, 640)}
	if os.Getenv("KRAMA_CONSOLE") != "" {
		opts = append(opts, chromedp.Flag("enable-logging", "stderr"), chromedp.CombinedOutput(os.Stdout))
	}
	alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, cancelCtx := chromedp.NewContext(alloc)
	b := &browser{t: t, ctx: ctx, profile: profile, cancel: func() { cancelCtx(); cancelAlloc() }}
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("chromium: %v", err)
	}
	t.Cleanup(b.kill)
	return b
}

// kill ends every process of the browser without warning.
func (b *browser) kill() {
	if b.profile == "" {
		return
	}
	for range 3 { // children that were being born
		procs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, p := range procs {
			if line, err := os.ReadFile(p); err == nil && (strings.Contains(string(line),
				"--user-data-dir="+b.profile) || strings.Contains(string(line), "--profile\x00"+b.profile)) {
				if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(p))); err == nil {
					syscall.Kill(pid, syscall.SIGKILL)
				}
			}
		}
	}
	b.cancel()
	os.Remove(filepath.Join(b.profile, "SingletonLock"))
	b.profile = ""
}

const patience = 60 * time.Second

func (b *browser) open(url string) {
	b.t.Helper()
	if b.fox != nil {
		if err := b.fox.open(url); err != nil {
			b.t.Fatalf("firefox: %s: %v", url, err)
		}
		return
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	err := chromedp.Do(ctx, chromedp.Navigate(url))
	if err != nil && strings.Contains(err.Error(), "ERR_ABORTED") { // a page that was refreshing itself was faster
		err = chromedp.Do(ctx, chromedp.Navigate(url))
	}
	if err != nil {
		b.t.Fatalf("browser: %s: %v", url, err)
	}
}

// js evaluates an expression to a string.
func (b *browser) js(expr string) string {
	b.t.Helper()
	s, err := b.try(expr)
	if err != nil {
		b.t.Fatalf("browser: %s: %v", expr, err)
	}
	return s
}

func (b *browser) try(expr string) (string, error) {
	if b.fox != nil {
		return b.fox.eval("String(" + expr + ")")
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[string]("String("+expr+")"))
}

// wait looks again and again whether an expression is true.
func (b *browser) wait(what, expr string) {
	b.t.Helper()
	tick := time.NewTicker(15 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		if s, err := b.try(expr); err == nil && s == "true" {
			return
		}
	}
	text, _ := b.try(
		`document.body.innerText.slice(0,1500)
			+' | '+(document.getElementById('old')||{dataset:{}}).dataset.why
			+' | '+(document.querySelector('iframe')?.contentDocument.body.innerText.slice(0,900)||'')`)
	b.t.Fatalf("waited in vain for %s\n%s", what, text)
}

func (b *browser) waitFor(selector string) {
	b.t.Helper()
	b.wait(selector, fmt.Sprintf("!!document.querySelector(%q)", selector))
}

// click clicks the first element that fits, as a tap does.
func (b *browser) click(selector string) {
	b.t.Helper()
	b.waitFor(selector)
	b.js(fmt.Sprintf("document.querySelector(%q).click()", selector))
}

func (b *browser) size(w, h int64, dark bool) {
	b.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	_, err1 := chromedp.Call(b.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: w, Height: h, DeviceScaleFactor: 1, Mobile: w < 500})
	_, err2 := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	if err1 != nil || err2 != nil {
		b.t.Fatal(err1, err2)
	}
}

func (b *browser) shot(path string) {
	b.t.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(path, png, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// words taps words in the phone's list: letters until a word is offered, and the page's answer is awaited after each
// tap.
func (b *browser) words(words []string) {
	b.t.Helper()
	b.wordsIn("document", words)
}

// wordsIn is words in a document that an expression gives. The page itself does the tapping: a call for each tap would
// take longer.
func (b *browser) wordsIn(document string, words []string) {
	b.t.Helper()
	b.wait("the keys", "!!"+document+".querySelector('form.tapper button.key')")
	b.js(fmt.Sprintf(`(() => {
		const words = %q.split(' '), form = () => %s.querySelector('form.tapper');
		let before = null, whole = false;
		window.tapped = -1;
		const timer = setInterval(() => {
			const f = form();
			if (before !== null) {
				if (f && f.outerHTML.length === before && !(whole && !f.querySelector('.prefix'))) return;
				before = null;
				if (whole) words.shift();
			}
			if (words.length === 0) { clearInterval(timer); window.tapped = 1; return; }
			if (!f || !f.querySelector('button.key')) return;
			const word = [...f.querySelectorAll('button.word')].find(b => b.value === words[0]);
			const key = word || [...f.querySelectorAll('button.key:not(.word)')].find(b => words[0].startsWith(b.value));
			if (!key) return;
			before = f.outerHTML.length; whole = !!word;
			key.click();
		}, 4);
	})()`, strings.Join(words, " "), document))
	b.wait("the words to be tapped", "window.tapped===1||window.tapped===undefined") // some words lead to another page
}

// enrolPhone takes this browser through the demo's start page to an enrolled phone, and returns its four words.
func (b *browser) enrolPhone(d *demoProcess) []string {
	b.t.Helper()
	in, words := b.showCode(d)
	b.js("document.getElementById('scan1').click()")
	b.wait("QR-2", "!!document.getElementById('qr2').dataset.qr")
	b.js("document.getElementById('scan2').click()")
	b.wait("the phone to wait", "!!"+in+".querySelector('form[action=\"/join/check\"]')")
	b.js("document.getElementById('finish').click()")
	b.wait("the office to finish", `!document.querySelector('[data-step="4"]').hidden`)
	b.wait("the phone's keys", "!!"+in+".getElementById('pin')")
	return words
}

// showCode brings the demonstration's phone to its own code. It returns what reaches the phone's document, and its
// words.
func (b *browser) showCode(d *demoProcess) (in string, words []string) {
	b.t.Helper()
	b.open(d.site + "/demo")
	b.click("#begin")
	in = "document.getElementById('phone').contentDocument"
	b.wait("the phone", "!!("+in+"&&"+in+".querySelector('[data-persist]'))")
	b.js(in + ".querySelector('[data-persist]').click()")
	b.wait("the words", in+".querySelectorAll('[data-word]').length==4")
	words = strings.Fields(b.js("[..." + in + ".querySelectorAll('[data-word]')].map(x=>x.dataset.word).join(' ')"))
	b.js(in + `.querySelector('a[href="/setup/confirm"]').click()`)
	b.wordsIn(in, words)
	b.wait("QR-1", "!!"+in+".querySelector('[data-qr]')")
	return in, words
}

// unlock opens the phone's page and taps the words.
func (b *browser) unlock(d *demoProcess, words []string) {
	b.t.Helper()
	b.open(d.site + "/app/")
	b.words(words)
	b.waitFor("#pin")
	b.click(`a[href="/"].button`)
	b.waitFor("nav.main")
}
