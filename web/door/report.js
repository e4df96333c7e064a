// The worker that seals reports. Go makes bytes; this carries them to the relay. What was typed lives here and in the
// page, and
// nowhere else.
let relay
const hex = s => Uint8Array.from(s.match(/../g) || [], x => parseInt(x, 16))
const b64 = s => Uint8Array.from(atob(s), c => c.charCodeAt(0))
const dayOf = ms => Math.floor((ms + 7 * 3600e3) / 864e5) // Indochina time
const date = day => new Date(day * 864e5).toISOString().slice(0, 10).split('-').reverse().join('/')
const post = async (path, body) => {
  let r
  try {
    r = await fetch(relay + path, {
      method: "POST",
      body,
      headers: { "Content-Type": "text/plain" },
      cache: "no-store",
      redirect: "error",
      credentials: "omit",
      referrerPolicy: "no-referrer",
    });
  } catch { throw new Error('offline') }
  const now = +r.headers.get('Krama-Time') || 0
  if (r.status === 429 || r.status === 507) throw new Error('many')
  if (r.status === 401) return { now }
  if (r.status === 404 && path === '/v2/report') throw new Error('gone') // nobody takes reports there any more
  if (!r.ok) throw new Error('offline')
  return { now, body: new Uint8Array(await r.arrayBuffer()) }
}
const go = async m => {
  if (m.do === 'start') {
    relay = m.relay
    importScripts(m.exec)
    const rt = new Go()
    let src
    try {
      src = await WebAssembly.instantiateStreaming(fetch(m.core, { redirect: "error" }), rt.importObject);
    } catch {
      throw new Error("offline");
    }
    rt.run(src.instance)
    self.sealer.start(hex(m.site), m.day, hex(m.sigs))
    if (m.fresh) self.sealer.receipt()
    self.sealer.work(0)
    return true
  }
  if (m.do === 'send') {
    for (let i = 0; i < 2; i++) {
      const body = self.sealer.seal(hex(m.intake), b64(m.kem), m.topic, m.place, m.text, b64(m.sig), b64(m.bind))
      if (typeof body === 'string') throw new Error(body)
      let r
      try { r = await post('/v2/report', body) } catch (e) {
        if (e.message === 'gone') self.sealer.work(0) // a relay may have spent this proof
        throw e
      }
      if (r.body) { self.sealer.work(0); return self.sealer.digits() }
      self.sealer.work(dayOf(r.now)) // this page is days old: once more with the relay's day
    }
    throw new Error('offline')
  }
  if (m.do === 'look') {
    if (!self.sealer.open(m.receipt)) throw new Error('wrong')
    for (let i = 0; i < 2; i++) {
      const hello = await post('/v2/hello')
      const r = await post('/v2/reply', self.sealer.look(hello.body, dayOf(hello.now)))
      if (r.body) {
        const list = self.sealer.read(r.body)
        return { list: list.map(a => ({ day: date(a.day), text: a.text })), forged: !!list.forged }
      }
    }
    throw new Error('offline')
  }
}
let queue = Promise.resolve()
onmessage = e => {
  queue = queue
    .then(() => go(e.data))
    .then(
      ok => postMessage({ ok }),
      err => postMessage({ bad: err.message }),
    );
};
