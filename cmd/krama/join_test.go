package main

import (
	"bufio"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"krama"
	"krama/replica"
)

// TestJoinGoesOn stops a desk that waits for the first one, as it may when that takes a day, and starts it again with
// its words.
func TestJoinGoesOn(t *testing.T) {
	dir := t.TempDir()
	relay := startServe(t, filepath.Join(dir, "relay"), freePort(t))
	words := relay.found(t, filepath.Join(dir, "desk"))
	office, err := replica.Unlock(deskReplica(filepath.Join(dir, "desk")), words)
	if err != nil {
		t.Fatal(err)
	}
	defer office.Close()
	join := func() *exec.Cmd {
		return exec.Command(program(t), "join", "--relay", relay.url, "--data", filepath.Join(dir, "second"))
	}
	cmd := join()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	lines.Scan()
	inv, err := office.Admin().Invite(t.Context(), lines.Text())
	if err != nil {
		t.Fatal(err)
	}
	in.Write([]byte(inv.Code.String() + "\n"))
	lines.Scan()
	if words = lines.Text(); len(strings.Fields(words)) != 4 {
		t.Fatalf("it printed %q", words)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if ok, err := office.Admin().Enrol(t.Context(), inv, krama.MemberID{1}, krama.RoleCoordinator); !ok || err != nil {
		t.Fatalf("enrol: %v %v", ok, err)
	}
	for _, c := range []struct {
		words string
		want  bool
	}{{"not these four words", false}, {words, true}, {words, false}} { // at last it is a desk, and cannot become one
		cmd := join()
		cmd.Stdin = strings.NewReader(c.words + "\n")
		if b, err := cmd.CombinedOutput(); (err == nil) != c.want {
			t.Errorf("started again: %v\n%s", err, b)
		}
	}
	second, err := replica.Unlock(deskReplica(filepath.Join(dir, "second")), words)
	if err != nil {
		t.Fatal(err)
	}
	if second.State() != replica.Enrolled {
		t.Error("it is no desk")
	}
	second.Close()
}

// TestSecondDesk enrols another computer as a desk by two codes, with the first desk in a browser.
func TestSecondDesk(t *testing.T) {
	dir := t.TempDir()
	relay := startServe(t, filepath.Join(dir, "relay"), freePort(t))
	words := relay.found(t, filepath.Join(dir, "desk"))
	_, first := openDeskInBrowser(t, filepath.Join(dir, "desk"), words)
	base := first.js(`location.origin`)

	cmd := exec.Command(program(t), "join", "--relay", relay.url, "--data", filepath.Join(dir, "second"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	lines.Scan()
	first.open(base + "/enrol")
	first.js(`document.querySelector('#label').value='Second',document.querySelector('input[name="role"][value="64"]').click(),document.querySelector('#code').value='` + lines.Text() + `',document.querySelector('form[action="/enrol/scan"] button[type=submit]').click(),''`)
	first.waitFor(`[data-qr]`)
	in.Write([]byte("nonsense\n" + first.js(`document.querySelector('[data-qr]').dataset.qr`) + "\n"))
	// impatient
	first.wait("the enrolment",
		`(()=>{const b=document.querySelector('form[action="/enrol/finish"] button');if(b){b.click();b.click()}return document.body.innerText.includes('Enrolled')})()`)
	lines.Scan()
	if n := len(strings.Fields(lines.Text())); n != 4 {
		t.Fatalf("the second desk printed %q", lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	_, second := openDeskInBrowser(t, filepath.Join(dir, "second"), lines.Text())
	second.open(second.js(`location.origin`) + "/devices")
	second.wait("both desks", `document.querySelectorAll('table a[href^="/device/"]').length==2`)
}

// TestTypingOutlivesTheCode: a phone shows another code when the time of its own is over, but not while the office's is
// being typed there.
func TestTypingOutlivesTheCode(t *testing.T) {
	d := startDemo(t, t.TempDir(), freePort(t))
	b := startBrowser(t, t.TempDir())
	in, _ := b.showCode(d)
	code := in + ".querySelector('[data-code]').dataset.code"
	b.js(`(() => { const w = document.getElementById('phone').contentWindow, real = w.setTimeout.bind(w);
		w.setTimeout = (f, ms) => real(f, ms > 60000 ? 200 : Math.min(ms, 200)); })()`) // minutes are moments from here on
	b.js(in + `.querySelector('.lang button[value=en]').click()`) // the page is drawn anew, by the short clock
	first := b.js(code)
	b.wait("another code", code+"!="+fmt.Sprintf("%q", first))
	b.js(in + `.querySelector('textarea[name=code]').value = 'KRAMA-HALF-TYPED'`)
	kept := b.js(code)
	time.Sleep(1500 * time.Millisecond)
	if got := b.js(in + ".querySelector('textarea[name=code]').value"); !strings.Contains(got, "HALF-TYPED") ||
		b.js(code) != kept {
		t.Errorf("what was typed is %s, when its code's time was over", got)
	}
	b.js(in + `.querySelector('textarea[name=code]').value = ''`)
	b.wait("another code once nothing is typed", code+"!="+fmt.Sprintf("%q", kept))
}
