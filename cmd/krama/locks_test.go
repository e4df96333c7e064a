package main

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// authenticator gives the browser a passkey store of its own, with or without what Krama needs of it.
func (b *browser) authenticator(prf bool) webauthn.AuthenticatorID {
	b.t.Helper()
	a, err := chromedp.Call(b.ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{
		Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21,
			Transport:      webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
			HasPrf: prf}})
	if err != nil {
		b.t.Fatal(err)
	}
	return a.AuthenticatorID
}

func (b *browser) remove(a webauthn.AuthenticatorID) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, webauthn.RemoveVirtualAuthenticator, webauthn.RemoveVirtualAuthenticatorParams{
		AuthenticatorID: a}); err != nil {
		b.t.Fatal(err)
	}
}

// locked locks the phone and gives its words, up to where a passkey is asked for.
func (b *browser) locked(words []string) {
	b.t.Helper()
	b.js(`document.querySelector('form[action="/lock"] button').click()`)
	b.wait("the gate", `!document.querySelector('nav.main') && !!document.querySelector('form.tapper')`)
	b.words(words)
	b.waitFor(`form[action="/passkey"]`)
}

// TestLocksInTheBrowser: a browser's passkeys that cannot do what is needed are refused; one that can is turned on,
// asked for after the words, and without it or with another answer the phone stays shut. Field mode opens without
// network within its lease and not after it was ended. The words for an emergency need none of it.
func TestLocksInTheBrowser(t *testing.T) {
	e := startEnrolled(t)
	d, phone, words := e.demoProcess, e.phone, e.words
	if _, err := chromedp.Call(phone.ctx, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	go1 := func(path string) {
		t.Helper()
		phone.click(`nav a[href="/settings"]`)
		phone.click(`a[href="` + path + `"]`)
		phone.wait(path, `!!document.querySelector('form[action="`+path+`"]')`)
	}
	go1("/duress")
	phone.click(`button[name="do"][value="on"]`)
	phone.wait("the words for an emergency", `document.querySelectorAll('[data-duress]').length==4`)
	emergency := strings.Fields(
		phone.js(`[...document.querySelectorAll('[data-duress]')].map(x=>x.dataset.duress).join(' ')`))

	poor := phone.authenticator(false)
	go1("/locks")
	phone.wait("the offer",
		`!document.querySelector('form[data-passkey]').hidden && document.querySelector('[data-unoffered]').hidden`)
	phone.click(`form[data-passkey="new"] button`)
	phone.wait("the refusal of a passkey without PRF", `!document.querySelector('[data-failed]').hidden`)
	phone.remove(poor)

	store := phone.authenticator(true)
	phone.click(`form[data-passkey="new"] button`)
	phone.waitFor(`form[action="/locks/tap"]`)
	phone.words(words)
	phone.waitFor(`[data-passkey-on]`)
	phone.click(`button[name="do"][value="field"]`)
	phone.waitFor(`form[action="/locks/tap"]`)
	phone.words(words)
	phone.waitFor(`[data-field-on]`)

	phone.locked(words)
	phone.click(`form[action="/passkey"] button`)
	phone.waitFor("#pin")
	phone.click(`a[href="/"].button`)
	phone.waitFor("nav.main")

	d.kill() // no relay, no site
	phone.locked(words)
	phone.click(`form[action="/passkey"] button`)
	phone.waitFor("#pin")
	phone.click(`a[href="/"].button`)
	go1("/locks")
	phone.click(`button[name="do"][value="shut"]`)
	phone.wait("the gate", `!document.querySelector('nav.main') && !!document.querySelector('form.tapper')`)
	phone.words(words)
	phone.click(`form[action="/passkey"] button`)
	phone.wait("the phone to need a connection", `document.body.innerText.includes('only with a connection')`)

	d = startDemo(t, e.data, e.port)
	phone.words(words)
	phone.click(`form[action="/passkey"] button`)
	phone.waitFor("#pin")
	phone.click(`a[href="/"].button`)
	phone.waitFor("nav.main")

	phone.locked(words) // a passkey of the same name that answers otherwise
	phone.js(`(() => { const c = navigator.credentials, get = c.get.bind(c); c.get = async o => {
		const k = await get(o), first = k.getClientExtensionResults().prf.results.first;
		new Uint8Array(first)[0] ^= 1;
		return { rawId: k.rawId, getClientExtensionResults: () => ({ prf: { results: { first } } }) };
	}; return '' })()`)
	phone.click(`form[action="/passkey"] button`)
	phone.wait("the gate to stay shut",
		`!!document.querySelector('form[action="/tap"].tapper') && document.body.innerText.includes('removed this phone')`)

	phone.remove(store)
	phone.authenticator(true) // none of the name
	phone.words(words)
	phone.click(`form[action="/passkey"] button`)
	phone.wait("the refusal", `!document.querySelector('[data-failed]').hidden`)

	phone.open(d.site + "/app/")
	phone.words(emergency)
	phone.wait("the public page", `location.pathname=='/'`)
	phone.open(d.site + "/app/")
	phone.waitFor(`a[href="/setup"]`)
}
