// With this script pages replace each other in place, so that one visit is one entry in the browser's history, and
// leaving at once
// takes that entry too. Without it everything but reporting works the same, through plain forms.
(() => {
  const leave = () => {
    document.body.hidden = true
    document.title = ''
    location.replace(document.body.dataset.exit)
  }
  let taps = []
  addEventListener('keydown', e => {
    if (e.key !== 'Escape') { taps = []; return }
    taps = taps.filter(t => e.timeStamp - t < 2000).concat(e.timeStamp)
    if (taps.length >= 3) leave()
  })
  addEventListener('click', e => {
    if (e.target.closest && e.target.closest('#exit')) { e.preventDefault(); leave() }
  })
  addEventListener('pageshow', e => { if (e.persisted) location.reload() })

  const get = async (to, fields) => {
    const r = await fetch(to, {
      method: "POST",
      body: fields,
      redirect: "error",
      cache: "no-store",
      referrerPolicy: "no-referrer",
    });
    const page = new DOMParser().parseFromString(await r.text(), 'text/html')
    if (!page.querySelector('main')) throw new Error()
    return page
  }
  // What was typed into a report, and the number that was shown after it, outlive a change of language, and what was
  // typed a look at what
  // is kept (ab). Any other page forgets both, and leaving forgets all, as this page's memory goes with it. next is
  // the page asked for.
  let held = {}, heldFor = ''
  const hold = next => {
    const f = document.getElementById('sealing')
    if (f) heldFor = f.dataset.q.slice(0, 8)
    if (next.slice(0, 8) !== heldFor && next.slice(0, 2) !== 'ab') { held = {}; return }
    if (!f) return
    const el = f.elements, to = f.querySelector('input[name=to]:checked')
    held[f.dataset.do] = {
      text: el.text.value,
      topic: el.topic && el.topic.value,
      place: el.place && el.place.value,
      circle: to && to.dataset.circle,
    };
    const d = document.getElementById('receipt')
    held.digits = d && !d.hidden && next.slice(0, 8) === heldFor ? document.getElementById('digits').textContent : ''
  }
  const refill = f => {
    const el = f.elements, was = held[f.dataset.do]
    if (was) {
      el.text.value = was.text
      if (el.topic && was.topic) el.topic.value = was.topic
      if (el.place && was.place) el.place.value = was.place
      const to = was.circle && f.querySelector('input[name=to][data-circle="' + was.circle + '"]')
      if (to) to.checked = true
    }
    const d = document.getElementById('receipt')
    if (d && held.digits) {
      document.getElementById('digits').textContent = held.digits
      d.hidden = false
    }
  }
  let asked = 0
  addEventListener('submit', async e => {
    const form = e.target
    if (form.id === 'sealing') { e.preventDefault(); sealing(form); return }
    if (form.method !== 'post') return
    e.preventDefault()
    const fields = new URLSearchParams(new FormData(form))
    if (form.id === 'slip') { // only a well made code leaves this page, and as the code alone
      const code = slip(form.elements.c.value)
      document.getElementById('mistyped').hidden = !!code
      if (!code) { form.elements.c.focus(); return }
      fields.set('c', code)
    }
    if (e.submitter && e.submitter.name) fields.set(e.submitter.name, e.submitter.value)
    const mine = ++asked
    try {
      const page = await get(form.action, fields)
      if (mine !== asked) return
      hold(fields.get('q') || '')
      stop()
      document.documentElement.lang = page.documentElement.lang
      document.body.replaceWith(document.adoptNode(page.body))
      scrollTo(0, 0)
      document.querySelector('main').focus({ preventScroll: true })
      begin()
    } catch {
      let p = document.getElementById('tired')
      if (!p) {
        p = document.createElement('p')
        p.id = 'tired'
        p.className = 'card warn'
        p.setAttribute('role', 'alert')
        document.querySelector('main').prepend(p)
      }
      p.textContent = document.body.dataset.tired
    }
  })

  // What was typed as krama.Plain reads it: Khmer digits are digits, what is not seen is left out, every dash is "-".
  const plain = typed =>
    typed
      .replace(/[\u17e0-\u17e9]/g, c => c.charCodeAt(0) - 0x17e0)
      .replace(/[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]/g, c => String.fromCharCode(c.charCodeAt(0) - 0xfee0))
      .replace(/[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]/g, "-")
      .replace(/[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g, "");

  // A slip's code as krama.ParseSlipCode reads it: twelve Crockford characters, the last the sum over GF(32) of the
  // others, each times its
  // place and one. Anything else is null.
  const slip = typed => {
    const d = []
    for (const c of plain(typed).toUpperCase().replace(/[-\s]/g, "").replace(/O/g, "0").replace(/[IL]/g, "1"))
      d.push("0123456789ABCDEFGHJKMNPQRSTVWXYZ".indexOf(c));
    if (d.length !== 12 || d.includes(-1)) return null
    const times = (a, b) => {
      let p = 0
      for (; b; b >>= 1) { if (b & 1) p ^= a; a <<= 1; if (a & 32) a ^= 37 }
      return p
    }
    if (d.slice(0, 11).reduce((sum, v, i) => sum ^ times(v, i + 2), 0) !== d[11]) return null
    return d.map(v => '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[v]).join('')
  }

  // Reporting. The module is fetched after the form is visible; it makes the receipt and the proof of work while she
  // types.
  let worker, calls = [], form, busy = false
  const stop = () => {
    if (worker) worker.terminate()
    worker = null
    for (const c of calls.splice(0)) c[1](new Error('offline')) // whoever waits for an answer is told that none comes
  }
  const say = what => { const p = document.getElementById('say'); if (p) p.textContent = what ? p.dataset[what] : '' }
  const ask = m => new Promise((ok, bad) => { calls.push([ok, bad]); worker.postMessage(m) })
  let ready
  const begin = () => {
    const code = document.getElementById('slip')
    if (code) code.noValidate = true // this script says in the page's language what is wrong
    form = document.getElementById('sealing')
    if (!form) return
    form.hidden = false
    busy = false
    form.dataset.at = Date.now()
    refill(form)
    if (!window.WebAssembly || !window.Worker || !window.crypto) { old(); return }
    load()
  }
  const old = () => { say('old'); ready = Promise.reject(new Error('old')); ready.catch(() => {}) }
  // load begins the module that seals; where a file of it did not come, it is asked for again when she sends.
  const load = () => {
    stop()
    say('loading')
    const d = form.dataset
    try { worker = new Worker(d.worker) } catch { old(); return }
    worker.onmessage = e => {
      const c = calls.shift();
      if (c) e.data.bad ? c[1](new Error(e.data.bad)) : c[0](e.data.ok);
    };
    worker.onerror = () => { for (const c of calls) c[1](new Error('offline')); calls = [] }
    const mine = worker
    ready = ask({
      do: "start",
      exec: d.exec,
      core: d.core,
      relay: d.relay,
      site: d.site,
      day: +d.day,
      sigs: d.sigs,
      fresh: d.do === "write",
    });
    ready.then(
      () => {
        if (worker === mine) say(d.do === "write" ? "ready" : "");
      },
      e => {
        if (worker === mine) say(e.message);
      },
    );
  }
  // renew fetches this page anew and puts who takes reports now in the place of who did. What was typed stays. It
  // tells whether anything
  // changed, and whether anybody takes reports.
  const renew = async () => {
    const f = form
    const page = await get('/', new URLSearchParams({ q: f.dataset.q }))
    if (f !== form) return {}
    const own = f.querySelector('fieldset'), now = page.querySelector('#sealing fieldset')
    const names = x => x ? [...x.querySelectorAll('input[name=to]')].map(i => i.value + i.dataset.kem).join() : ''
    const changed = names(own) !== names(now)
    f.dataset.at = Date.now()
    if (changed) {
      const to = own.querySelector('input[name=to]:checked')
      if (now) own.replaceWith(document.adoptNode(now))
      else own.querySelectorAll('input').forEach(i => { i.checked = false; i.disabled = true })
      const same = to && f.querySelector('input[name=to][data-circle="' + to.dataset.circle + '"]:enabled')
      if (same) same.checked = true
    }
    return { changed, open: !!names(now) }
  }
  // Before somebody writes on a page that has lain open for a while, it looks whether its keys still hold.
  const stale = 5 * 60e3
  addEventListener('focusin', async e => {
    if (!form || !form.contains(e.target) || Date.now() - form.dataset.at < stale) return
    form.dataset.at = Date.now()
    try {
      const { changed, open } = await renew()
      if (changed) say(open ? 'renewed' : 'nobody')
    } catch { if (form) form.dataset.at = 0 } // without a network: at the next touch, and when it is sent
  })
  const group = s => s.replace(/(.{5})(?=.)/g, '$1 ')
  const sealing = async f => {
    if (busy) return
    const el = f.elements
    const to = f.querySelector('input[name=to]:checked')
    busy = true
    try {
      try { await ready } catch (e) {
        if (f !== form) return
        if (e.message === 'old') throw e
        load()
        await ready
      }
      if (f !== form) return
      if (f.dataset.do === 'back' && document.getElementById('talk').hidden) {
        say('busy')
        const { list, forged } = await ask({ do: 'look', receipt: el.receipt.value })
        el.receipt.value = ''
        document.getElementById('ask').hidden = true
        document.getElementById('talk').hidden = false
        const box = document.getElementById('answers')
        for (const a of list) {
          const p = document.createElement('p')
          p.className = 'card said'
          p.textContent = a.day + '\n' + a.text
          box.append(p)
        }
        say(forged ? 'forged' : list.length ? '' : 'none')
        return
      }
      const text = el.text.value.trim()
      if (!to) { say('pick'); return }
      if (!text.replace(/[\s\u00ad\u200b-\u200f\u2060-\u206f\ufeff]/g, '')) { say('empty'); el.text.focus(); return }
      say('busy')
      const digits = await ask({
        do: "send",
        intake: to.value,
        kem: to.dataset.kem,
        sig: to.dataset.sig || "",
        bind: to.dataset.bind || "",
        topic: el.topic ? +el.topic.value : 1,
        place: el.place ? +el.place.value : 0,
        text,
      });
      el.text.value = ''
      if (f.dataset.do === 'back') { say('sent'); return }
      f.hidden = true
      say('')
      document.getElementById('digits').textContent = group(digits)
      document.getElementById('receipt').hidden = false
      document.getElementById('receipt').scrollIntoView()
    } catch (e) {
      if (f !== form) return // the page has changed meanwhile, with what was typed
      if (e.message === 'gone' && f === form) {
        let now = {}
        try { now = await renew() } catch { /* said as it is */ }
        say(now.open && now.changed ? 'gone' : 'nobody')
        const pick = f.querySelector('fieldset')
        if (pick && f === form) pick.scrollIntoView()
        return
      }
      say(document.getElementById('say').dataset[e.message] ? e.message : 'offline')
    } finally { if (f === form) busy = false }
  }
  begin()
})()
