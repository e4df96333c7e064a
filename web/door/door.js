// With this script pages replace each other in place, so that one visit is one entry in the browser's history, and leaving at once
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

  let asked = 0
  addEventListener('submit', async e => {
    const form = e.target
    if (form.id === 'sealing') { e.preventDefault(); sealing(form); return }
    if (form.method !== 'post') return
    e.preventDefault()
    const fields = new URLSearchParams(new FormData(form))
    if (e.submitter && e.submitter.name) fields.set(e.submitter.name, e.submitter.value)
    const mine = ++asked
    try {
      const r = await fetch(form.action, { method: 'POST', body: fields, cache: 'no-store', referrerPolicy: 'no-referrer' })
      const text = await r.text()
      if (mine !== asked) return
      const page = new DOMParser().parseFromString(text, 'text/html')
      if (!page.querySelector('main')) throw new Error()
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

  // Reporting. The module is fetched after the form is visible; it makes the receipt and the proof of work while she types.
  let worker, calls = [], form
  const stop = () => { if (worker) worker.terminate(); worker = null; calls = [] }
  const say = what => { const p = document.getElementById('say'); if (p) p.textContent = what ? p.dataset[what] : '' }
  const ask = m => new Promise((ok, bad) => { calls.push([ok, bad]); worker.postMessage(m) })
  let ready
  const begin = () => {
    form = document.getElementById('sealing')
    if (!form) return
    form.hidden = false
    if (!window.WebAssembly || !window.Worker || !window.crypto) { say('old'); return }
    say('loading')
    const d = form.dataset
    try { worker = new Worker(d.worker) } catch { say('old'); return }
    worker.onmessage = e => { const c = calls.shift(); if (c) e.data.bad ? c[1](new Error(e.data.bad)) : c[0](e.data.ok) }
    worker.onerror = () => { for (const c of calls) c[1](new Error('offline')); calls = [] }
    const mine = worker
    ready = ask({ do: 'start', exec: d.exec, core: d.core, relay: d.relay, site: d.site, day: +d.day, sigs: d.sigs, fresh: d.do === 'write' })
    ready.then(() => { if (worker === mine) say(d.do === 'write' ? 'ready' : '') }, e => { if (worker === mine) say(e.message) })
  }
  const group = s => s.replace(/(.{5})(?=.)/g, '$1 ')
  let busy = false
  const sealing = async f => {
    if (busy || !worker) return
    const el = f.elements
    const to = f.querySelector('input[name=to]:checked')
    busy = true
    try {
      await ready
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
      if (!text) return
      say('busy')
      const digits = await ask({ do: 'send', intake: to.value, kem: to.dataset.kem, topic: el.topic ? +el.topic.value : 1, place: el.place ? +el.place.value : 0, text })
      el.text.value = ''
      if (f.dataset.do === 'back') { say('sent'); return }
      f.hidden = true
      say('')
      document.getElementById('digits').textContent = group(digits)
      document.getElementById('receipt').hidden = false
      document.getElementById('receipt').scrollIntoView()
    } catch (e) {
      say(document.getElementById('say').dataset[e.message] ? e.message : 'offline')
    } finally { busy = false }
  }
  begin()
})()
