// The page around the core: it passes requests to the worker and swaps the page, covers it, and ends the worker to
// lock.
// It holds no key and keeps nothing; what a passkey answers goes through it to the worker.
"use strict";
(() => {
  const policy = self.trustedTypes
    ? trustedTypes.createPolicy("krama", {
        createHTML: s => s,
        createScriptURL: u => {
          if (!u.startsWith("/app/")) throw new TypeError("url");
          return u;
        },
      })
    : { createHTML: s => s, createScriptURL: s => s };
  const meta = n => document.querySelector(`meta[name="${n}"]`).content;
  const assets = JSON.parse(document.getElementById("assets").textContent);
  self.krama = { assets: "", url: u => policy.createScriptURL(assets[u]) };

  const app = document.getElementById("app"),
    cover = document.getElementById("cover"),
    busy = document.getElementById("busy");
  const root = "/app/";
  let worker = null,
    waiting = new Map(),
    serial = 0,
    turn = 0,
    here = "/",
    trail = [],
    timer = 0,
    dirty = null,
    idle = 0,
    unlocked = false,
    ready = null;

  function start() {
    worker = new Worker(policy.createScriptURL(assets["worker.js"]));
    waiting = new Map();
    let started = false;
    ready = new Promise((ok, bad) => {
      worker.onmessage = e => {
        const m = e.data;
        if (m.ready) { started = true; return ok(); }
        if (m.failed) { bad(new Error(m.failed)); if (started) lockedByCore(); return; }
        if (m.locked) return lockedByCore();
        const w = waiting.get(m.id);
        waiting.delete(m.id);
        if (w) w(m);
      };
      worker.onerror = () => bad(new Error("load"));
    });
    worker.postMessage({
      relay: meta("relay"),
      demo: meta("demo"),
      version: meta("version"),
      release: meta("release"),
      wasm: assets["krama.wasm"],
      exec: assets["wasm_exec.js"],
      langs: navigator.languages.join(","),
    });
    return ready;
  }

  function call(method, path, body) {
    return new Promise(ok => {
      const id = ++serial;
      waiting.set(id, ok);
      worker.postMessage({ id, method, path, body: body || "" });
    });
  }

  // lockedByCore ends the worker: every key and every record in memory goes with it.
  let locking = null;
  function lockedByCore() {
    if (locking) return;
    worker.terminate();
    for (const w of waiting.values()) w({ status: 0, html: "" });
    app.textContent = "";
    unlocked = false; dirty = null; here = "/"; trail = [];
    // After a release the files of this page may be gone from the site: what was typed is sealed, and the page begins
    // anew.
    locking = start()
      .then(
        () => {
          locking = null;
          return go("GET", "/", "", { replace: true });
        },
        () => location.replace(root),
      )
      .finally(() => {
        locking = null;
        busy.hidden = true;
      });
  }

  async function go(method, path, body, opt = {}) {
    clearTimeout(timer);
    const mine = ++turn; // what was asked for last is what is shown
    let r = await call(method, path, body);
    for (let i = 0; r.status === 303 && i < 5 && mine === turn; i++) {
      path = r.location;
      r = await call("GET", path);
    }
    if (!r.status || r.status === 204 || mine !== turn) return r;
    document.getElementById("broken").hidden = r.status !== 500 || r.html !== "";
    if (r.status === 500 && r.html === "") {
      dirty = app.querySelector("form[data-draft]");
      return r;
    } // the page stays as it is
    if (r.type && !r.type.startsWith("text/html")) return r;
    if (r.html.startsWith("<main data-leave")) {
      leave(r.html.includes("data-all"));
      return r;
    }
    const same = path === here,
      y = scrollY;
    if (!same && !opt.replace && !opt.back) {
      trail.push(here);
      history.pushState(null, "", root);
    }
    here = path;
    app.innerHTML = policy.createHTML(r.html);
    document.documentElement.lang = app.querySelector("main")?.dataset.lang || "km";
    const was = unlocked;
    unlocked = !!app.querySelector("nav.main");
    if (unlocked && !was) sync();
    if (opt.quiet || (same && opt.keep)) scrollTo(0, y);
    else {
      scrollTo(0, 0);
      app.querySelector("main")?.focus({ preventScroll: true });
    }
    if (r.status === 422) app.querySelector(".card.warn[role=alert]")?.scrollIntoView({ block: "center" });
    dirty = null;
    offer();
    const poll = app.querySelector("[data-poll]");
    if (poll) timer = setTimeout(() => go("GET", poll.dataset.poll, "", { replace: true, quiet: true }), 600);
    const auto = app.querySelector("[data-auto]");
    // What goes on by itself waits while a person types or a camera looks: it draws the page anew.
    const goOn = () => {
      const used = [...app.querySelectorAll("textarea, video")].some(f => f.srcObject || f.value);
      if (used) timer = setTimeout(goOn, 1000);
      else go("POST", auto.getAttribute("action"), "", { replace: true, quiet: true });
    };
    if (auto) timer = setTimeout(goOn, auto.dataset.auto * 1000);
    return r;
  }

  // leave ends everything without a word: the worker with its keys, what the browser kept of the program if nobody
  // else of
  // this phone needs it, and this page.
  async function leave(all) {
    worker.terminate();
    unlocked = false;
    app.textContent = "";
    if (all) {
      try {
        for (const k of await caches.keys()) await caches.delete(k);
        for (const r of await navigator.serviceWorker.getRegistrations()) await r.unregister();
      } catch {}
    }
    location.replace("/");
  }

  // Held for three seconds, the lock empties the phone.
  let held = 0;
  addEventListener("pointerdown", e => {
    if (unlocked && e.target.closest("form[action='/lock'] button"))
      held = setTimeout(() => go("POST", "/panic", "", { replace: true }), 3000);
  });
  for (const t of ["pointerup", "pointercancel", "pointerleave"]) addEventListener(t, () => clearTimeout(held));

  // A passkey can be asked in the page only. What it makes of a question, the browser's PRF extension, is 32 bytes.
  const hex = b => Array.from(new Uint8Array(b), x => x.toString(16).padStart(2, "0")).join("");
  const bytes = h => Uint8Array.from(h.match(/../g) || [], x => parseInt(x, 16));
  const name64 = b => btoa(String.fromCharCode(...b)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const random = n => crypto.getRandomValues(new Uint8Array(n));
  let asking = null; // while the browser shows its own window for a passkey

  // offer shows what turns a passkey on where the browser has what it takes, and says so where it does not.
  async function offer() {
    const f = app.querySelector('form[data-passkey="new"]');
    if (!f) return;
    let can = !!(self.PublicKeyCredential && navigator.credentials);
    if (can && PublicKeyCredential.getClientCapabilities)
      can = (await PublicKeyCredential.getClientCapabilities().catch(() => ({})))["extension:prf"] === true;
    f.hidden = !can;
    f.parentNode.querySelector("[data-unoffered]").hidden = can;
  }

  // answer asks one of the passkeys that are named, each with its own question.
  async function answer(keys) {
    const c = await navigator.credentials.get({
      publicKey: {
        challenge: random(32),
        userVerification: "required",
        timeout: 60000,
        allowCredentials: keys.map(k => ({ type: "public-key", id: bytes(k[0]) })),
        extensions: {
          prf: { evalByCredential: Object.fromEntries(keys.map(k => [name64(bytes(k[0])), { first: bytes(k[1]) }])) },
        },
      },
    });
    const first = c.getClientExtensionResults().prf?.results?.first;
    if (!first) throw new Error("prf");
    const key = hex(c.rawId);
    return { key, ask: keys.find(k => k[0] === key)[1], answer: hex(first) };
  }

  // passkey makes one, or asks one that is there. The name in it says nothing about anybody.
  async function passkey(f) {
    if (f.dataset.passkey !== "new") return answer(f.dataset.passkey.trim().split(" ").map(k => k.split(":")));
    const c = await navigator.credentials.create({ publicKey: {
      rp: { name: "Krama" }, user: { id: random(16), name: "Krama", displayName: "Krama" }, challenge: random(32),
      pubKeyCredParams: [{ type: "public-key", alg: -7 }, { type: "public-key", alg: -257 }], timeout: 60000,
      authenticatorSelection: { userVerification: "required", residentKey: "preferred" }, extensions: { prf: {} },
    } });
    if (!c.getClientExtensionResults().prf?.enabled) throw new Error("prf");
    return answer([[hex(c.rawId), f.elements.ask.value]]);
  }

  function fields(form, submitter) {
    const d = new URLSearchParams();
    for (const [k, v] of new FormData(form, submitter)) d.append(k, v);
    return d;
  }

  async function saveDraft() {
    const f = dirty;
    dirty = null;
    if (!f || !f.isConnected) return;
    const d = fields(f);
    d.set("draft-of", f.getAttribute("action"));
    await call("POST", "/draft", d.toString());
  }

  // hide covers the screen first, then keeps what was typed, then locks or waits behind the quick number.
  let hiding = false;
  async function hide() {
    if (hiding) return;
    if (!unlocked) return;
    hiding = true;
    cover.hidden = false;
    if (asking) { // the window of the browser hides the page itself
      await asking.catch(() => {});
      if (document.visibilityState === "visible") { hiding = false; cover.hidden = true; return; }
    }
    await saveDraft();
    await go("POST", "/cover", "", { replace: true });
    hiding = false;
    if (document.visibilityState === "visible") cover.hidden = true;
  }

  function touched() {
    clearTimeout(idle);
    idle = setTimeout(hide, 60000);
  }

  document.addEventListener("click", async e => {
    touched();
    const a = e.target.closest("a[href]");
    if (!a) return;
    const href = a.getAttribute("href");
    if (href.startsWith("#")) { e.preventDefault(); app.querySelector(href)?.focus(); return; }
    e.preventDefault();
    if (a.hasAttribute("data-persist") && navigator.storage.persist)
      await navigator.storage.persist().catch(() => false);
    if (a.hasAttribute("data-reload")) { location.replace(root); return; }
    const mine = ++turn; // of two that were tapped quickly the last is gone to, whichever has something to keep first
    const left = a.closest("form[data-draft]"); // Cancel inside a form forgets it; leaving another way keeps it
    if (left) {
      dirty = null;
      await call("POST", "/draft", "draft-of=" + encodeURIComponent(left.getAttribute("action")));
    } else await saveDraft();
    if (href.startsWith("/") && mine === turn) go("GET", href, "", { keep: true });
  });

  let tapped = null; // the form that was sent and is not answered yet, and its button
  document.addEventListener("submit", async e => {
    e.preventDefault();
    touched();
    const f = e.target, b = e.submitter;
    if (tapped && tapped[0] === f && tapped[1] === b && f.isConnected) return; // twice, before the first was answered
    tapped = [f, b];
    if (b) b.disabled = true;
    let shown = 0;
    if (f.dataset.slow && b && b.name !== "undo")
      shown = setTimeout(() => {
        busy.firstElementChild.textContent = f.dataset.slow;
        busy.hidden = false;
      }, 120);
    if (b) b.disabled = false;
    const d = fields(f, b);
    if (f.dataset.passkey) {
      if (asking) return;
      try {
        asking = passkey(f);
        for (const [k, v] of Object.entries(await asking)) d.set(k, v);
      } catch {
        tapped = null;
        clearTimeout(shown);
        busy.hidden = true;
        f.querySelector("[data-failed]").hidden = false;
        return;
      } finally { asking = null; }
    }
    const body = d.toString();
    if (dirty !== f) await saveDraft();
    dirty = null;
    await go("POST", f.getAttribute("action"), body, { keep: true });
    tapped = null;
    clearTimeout(shown);
    if (!locking) busy.hidden = true;
  });

  // What was typed is kept a second after the last letter, and every five seconds while the typing goes on.
  let pause = 0;
  const keep = () => { if (dirty && unlocked) saveDraft(); };
  document.addEventListener("input", e => {
    touched();
    const f = e.target.closest("form[data-draft]");
    if (f) { dirty = f; clearTimeout(pause); pause = setTimeout(keep, 1000); }
  });
  setInterval(keep, 5000);
  for (const t of ["pointerdown", "keydown", "scroll"]) addEventListener(t, touched, { passive: true });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") {
      if (unlocked) cover.hidden = false;
      hide();
    } else if (!hiding) cover.hidden = true;
  });
  addEventListener("pagehide", () => { if (worker) worker.terminate(); app.textContent = ""; });
  addEventListener("pageshow", e => { if (e.persisted) location.replace(root); });
  addEventListener("popstate", async () => {
    const to = trail.pop();
    await saveDraft(); // what was typed in the last seconds, too
    if (to !== undefined) go("GET", to, "", { back: true });
  });

  // In the background of use: soon after unlocking, when the network returns, and about every quarter of an hour.
  async function sync() {
    if (!unlocked || !navigator.onLine) return;
    const w = worker;
    await call("POST", "/sync");
    for (let r; w === worker && (r = await call("GET", "/sync")).html.includes("data-poll");)
      await new Promise(ok => setTimeout(ok, 700));
    if (w === worker && unlocked && here === "/") go("GET", "/", "", { replace: true, quiet: true });
  }
  addEventListener("online", sync);
  setInterval(sync, 15 * 60000 * (0.8 + 0.4 * Math.random()));

  function fail(err) {
    const old = document.getElementById("old");
    const why = String(err && err.message || err);
    const known = old.querySelector(`[data-why="${why}"]`) ? why : "load";
    for (const d of old.querySelectorAll("[data-why]")) d.hidden = d.dataset.why !== known;
    old.hidden = false;
    old.dataset.why = why;
    app.textContent = "";
    app.hidden = true; // empty, it is as high as the screen, and what is said stands below it
  }

  if (
    !self.WebAssembly ||
    !self.Worker ||
    !navigator.storage ||
    !navigator.storage.getDirectory ||
    !self.isSecureContext
  ) {
    fail("browser");
    return;
  }
  if ("serviceWorker" in navigator)
    navigator.serviceWorker.register(policy.createScriptURL("/app/sw.js"), { scope: root }).catch(() => {});
  history.replaceState(null, "", root);
  start().then(
    () =>
      go("GET", "/", "", { replace: true }).then(() => {
        document.body.dataset.ready = "1";
        touched();
      }),
    fail,
  );
})();
