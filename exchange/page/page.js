
"use strict";
// Reads the sealed archive in this file. Nothing leaves the page: the policy above allows no connection at all.
addEventListener("DOMContentLoaded", () => {
  const $ = id => document.getElementById(id);
  const words = JSON.parse($("words").textContent);
  const languages = [["en", "English", false], ["km", "ខ្មែរ", true], ["vi", "Tiếng Việt", true]];
  const iterations = [600000, 10000000], chunk = 1 << 20, tag = 16, shown = 50, idle = 10 * 60000;
  const kinds = [
    ["person", "people"], ["contact", "contacts"], ["consent", "consents"], ["dispute", "disputes"],
    ["staff", "staff"], ["listing", "listings"], ["guarded", "guarded"], ["check", "checks"], ["rights", "rights"],
    ["referral", "referrals"], ["report", "reports"], ["act", "acts"], ["incident", "incidents"], ["audit", "audits"],
  ]; // and the names of their counts
  const digits = n => String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
  const day = n => new Date(n * 864e5).toISOString().slice(0, 10);
  const fill = (s, args) => s.replace(/\{(\w+)\}/g, (_, k) => args[k]);
  const t = (key, args) => fill(words[lang][key], args || {});
  let lang = "en", opened = null, said = "", head = null;

  function el(name, attrs, ...children) {
    const e = document.createElement(name);
    for (const [k, v] of Object.entries(attrs || {})) {
      if (k === "onclick") e.addEventListener("click", v);
      else if (v === true) e.setAttribute(k, "");
      else if (v !== false && v != null) e.setAttribute(k, v);
    }
    e.append(...children);
    return e;
  }

  // A failure is the key of the sentence that says it.
  class Failure extends Error {}
  const fail = key => { throw new Failure(key); };

  function bytes(base64) {
    let s;
    try { s = atob(base64); } catch { fail("damaged"); }
    const out = new Uint8Array(s.length);
    for (let i = 0; i < s.length; i++) out[i] = s.charCodeAt(i);
    return out;
  }

  // The archive's text: a line that names the format, the header, then one line a chunk.
  const source = { text: $("archive").textContent, at: 0 };
  $("archive").remove();
  function line(from) {
    const end = source.text.indexOf("\n", from);
    return end < 0 ? null : { text: source.text.slice(from, end), next: end + 1 };
  }

  function readHeader() {
    let l = line(0);
    while (l && l.text === "") l = line(l.next);
    if (!l || l.text !== "KRAMA-ARCHIVE 1") fail("damaged");
    l = line(l.next);
    if (!l) fail("damaged");
    const raw = bytes(l.text);
    if (raw[0] !== 1) fail("newer");
    if (raw.length !== 77) fail("damaged");
    const v = new DataView(raw.buffer);
    const h = {
      raw,
      iterations: v.getUint32(1),
      salt: raw.slice(5, 21),
      written: v.getUint32(21),
      destroy: v.getUint32(25),
      check: raw.slice(61),
      first: l.next,
    };
    if (h.iterations < iterations[0] || h.iterations > iterations[1] || h.destroy > 84006) fail("damaged");
    return h;
  }

  function nonce(n, flag) {
    const b = new Uint8Array(12), v = new DataView(b.buffer);
    v.setUint32(7, n);
    b[11] = flag;
    return b;
  }

  async function keyOf(phrase) {
    const secret = new TextEncoder().encode(phrase.normalize("NFKC").toLowerCase().trim().split(/\s+/).join(" "));
    const base = await crypto.subtle.importKey("raw", secret, "PBKDF2", false, ["deriveKey"]);
    const key = await crypto.subtle.deriveKey(
      { name: "PBKDF2", hash: "SHA-256", salt: head.salt, iterations: head.iterations },
      base,
      { name: "AES-GCM", length: 256 },
      false,
      ["encrypt", "decrypt"],
    );
    const check = new Uint8Array(
      await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce(0, 2) }, key, new Uint8Array(0)),
    );
    if (!check.every((b, i) => b === head.check[i])) fail("wrong");
    return key;
  }

  // plain is the stream of opened chunks, each in its place and the last one known as the last.
  function plain(key, progress) {
    let l = line(head.first), n = 0;
    return new ReadableStream({
      async pull(c) {
        if (!l || l.text === "") fail("damaged");
        const next = line(l.next), last = !next || next.text === "";
        const sealed = bytes(l.text);
        if (sealed.length <= tag || (!last && sealed.length !== chunk + tag)) fail("damaged");
        let open;
        try {
          const how = { name: "AES-GCM", iv: nonce(n, last ? 1 : 0), additionalData: head.raw };
          open = await crypto.subtle.decrypt(how, key, sealed);
        } catch { fail("damaged"); }
        c.enqueue(new Uint8Array(open));
        progress(l.next / source.text.length);
        n++;
        if (last) c.close(); else l = next;
      }
    }, { highWaterMark: 1 });
  }

  const kindAt = (s, at) => s.slice(at + 9, s.indexOf('"', at + 9));

  // unpack reads every line. Lines stay text, in blocks of one kind: a million objects would not fit into a phone.
  async function unpack(key, progress) {
    const a = { info: null, book: null, words: null, staff: new Map(), blocks: {}, order: [] };
    let kind = "", open = [], n = 0;
    const close = () => {
      if (n) {
        const b = { kind, text: open.join(""), n };
        a.order.push(b);
        (a.blocks[kind] = a.blocks[kind] || []).push(b);
      }
      open = []; n = 0;
    };
    let held = 0;
    const take = s => { // whole lines
      for (let at = 0, from = 0; at < s.length;) {
        const k = kindAt(s, at), end = s.indexOf("\n", at) + 1;
        if (k !== kind || held > 1e6) {
          if (at > from) open.push(s.slice(from, at));
          close();
          kind = k; from = at; held = 0;
        }
        n++; held += end - at; at = end;
        if (at >= s.length) open.push(s.slice(from));
      }
    };
    let rest = "";
    const text = plain(key, progress)
      .pipeThrough(new DecompressionStream("gzip"))
      .pipeThrough(new TextDecoderStream("utf-8", { fatal: true }))
      .getReader();
    for (;;) {
      const { value, done } = await text.read();
      if (done) break;
      const end = value.lastIndexOf("\n") + 1;
      if (!end) { rest += value; continue; }
      take(rest + value.slice(0, end));
      rest = value.slice(end);
    }
    close();
    const one = k => a.blocks[k] ? JSON.parse(a.blocks[k][0].text) : fail("damaged");
    a.info = one("archive"); a.book = one("codebook"); a.words = one("words");
    if (rest || a.info.version !== 2) fail(rest ? "damaged" : "newer");
    for (const [k, count] of kinds)
      if (size(a, k) !== a.info.counts[count]) fail("damaged");
    for (const b of a.blocks.staff || [])
      for (const s of linesOf(b)) {
        const m = JSON.parse(s);
        a.staff.set(m.member, m.label);
      }
    a.codes = {};
    for (const [list, terms] of Object.entries(a.book.codes)) a.codes[list] = new Map(terms.map(w => [w.code, w]));
    return a;
  }

  const size = (a, kind) => (a.blocks[kind] || []).reduce((n, b) => n + b.n, 0);
  const linesOf = b => b.text.split("\n").slice(0, -1);

  // pick returns lines from one row on, of all lines or of those of one code.
  function pick(a, kind, code, from, n) {
    const out = [];
    let at = 0;
    const needle = code && '"code":"' + code;
    for (const b of a.blocks[kind] || []) {
      if (!needle) {
        if (at + b.n > from && out.length < n)
          out.push(...linesOf(b).slice(Math.max(0, from - at), Math.max(0, from - at) + n - out.length));
        at += b.n;
        continue;
      }
      for (let i = b.text.indexOf(needle); i >= 0;) {
        const begin = b.text.lastIndexOf("\n", i) + 1, end = b.text.indexOf("\n", i);
        if (at >= from && out.length < n) out.push(b.text.slice(begin, end));
        at++;
        i = b.text.indexOf(needle, end);
      }
    }
    return { total: at, rows: out.map(s => JSON.parse(s)) };
  }

  // codeOf reads what was typed as people do: any case, no dashes, O for 0, I and L for 1. A beginning is enough.
  function codeOf(s) {
    const c = s.toUpperCase().replace(/[^0-9A-Z]/g, "").replace(/O/g, "0").replace(/[IL]/g, "1").slice(0, 6);
    return c.length > 5
      ? c.slice(0, 2) + "-" + c.slice(2, 5) + "-" + c.slice(5)
      : c.length > 2
        ? c.slice(0, 2) + "-" + c.slice(2) + (c.length === 5 ? "-" : "")
        : c;
  }

  // view is what the reader looks at; drawing it again loses nothing.
  let view = { kind: "person", code: "", from: 0 };
  const w = (key, args) => fill(opened.words.words[lang][key], args || {});

  function word(list, code) {
    const term = list && opened.codes[list] && opened.codes[list].get(String(code));
    return term ? term[lang] : String(code);
  }
  const fieldOf = (kind, name) =>
    (opened.book.records.find(r => r.kind === kind) || { fields: [] }).fields.find(f => f.name === name) || {};
  function show(kind, name, v) {
    const list = fieldOf(kind, name).codes;
    if (v === undefined || v === null) return "";
    if (name === "by" || name === "member" && kind !== "staff") return opened.staff.get(v) || v.slice(0, 8);
    if (kind === "dispute" && name === "of") return w(v);
    if (name === "thread") return v.slice(0, 8);
    if (name === "phones")
      return v.map(p => p.number + " (" + word("use", p.use) + ", " + word("tier", p.for) + ")").join(" / ");
    if (name === "outcomes") return v.map(o => o.date + " " + word(list, o.outcome)).join(" / ");
    if (Array.isArray(v)) return v.map(x => word(list, x)).join(", ");
    if (typeof v === "object" && "en" in v) return v[lang] || v.km || v.en || v.vi;
    if (typeof v === "object") return Object.entries(v).map(([k, n]) => word(list, k) + " " + digits(n)).join(", ");
    if (v === true && !list) return w("yes");
    return word(list, v);
  }
  function cell(kind, name, row) {
    if (kind === "dispute" && name === "field") {
      const column = opened.words.columns[row.of].find(c => c[0] === row.field);
      return column ? w("of." + column[1]) : row.field; // of a later version
    }
    if (kind === "dispute" && name === "values")
      return row.values.map(v => [show(row.of, row.field, v.value) || "—", v.date, v.by && show("", "by", v.by)]
        .filter(Boolean).join(" · ")).join(" / ");
    return show(kind, name, row[name]);
  }

  function table(caption, heads, rows) {
    const id = "caption";
    return el(
      "div",
      { class: "scroll", role: "region", tabindex: "0", "aria-labelledby": id },
      el(
        "table",
        {},
        el("caption", { id, class: "number" }, caption),
        el("thead", {}, el("tr", {}, ...heads.map(h => el("th", { scope: "col" }, h)))),
        el(
          "tbody",
          {},
          ...rows.map(r =>
            el(
              "tr",
              {},
              ...r.map((c, i) =>
                i
                  ? el("td", { class: /^\d{4}-\d\d-\d\d$/.test(c) ? "date" : String(c).length > 40 && "wide" }, c)
                  : el("th", { scope: "row" }, c),
              ),
            ),
          ),
        ),
      ),
    );
  }

  function rowsView() {
    const { kind, from } = view,
      columns = opened.words.columns[kind],
      coded = columns[0][0] === "code",
      code = coded ? view.code : "";
    const { total, rows } = pick(opened, kind, code, from, shown);
    const go = n => () => {
      view.from = n;
      draw();
      $("caption").scrollIntoView();
      document.querySelector(".scroll").focus({ preventScroll: true });
    };
    const parts = [];
    if (coded) {
      const input = el("input", {
        id: "code",
        type: "search",
        autocomplete: "off",
        autocapitalize: "characters",
        spellcheck: "false",
      });
      input.value = code;
      const form = el(
        "form",
        { class: "find", role: "search", autocomplete: "off" },
        el("label", { for: "code" }, w("search"), input),
        el("button", {}, w("find")),
        el(
          "button",
          {
            type: "button",
            class: "quiet",
            hidden: !code,
            onclick: () => {
              view.code = "";
              view.from = 0;
              draw();
              $("code").focus();
            },
          },
          w("all"),
        ),
      );
      form.addEventListener("submit", e => {
        e.preventDefault();
        view.code = codeOf(input.value);
        view.from = 0;
        draw();
        $("code").focus();
      });
      parts.push(form);
    }
    const caption =
      w(kind) +
      ": " +
      (total ? w("rows", { from: digits(from + 1), to: digits(from + rows.length), n: digits(total) }) : w("none"));
    said = caption;
    parts.push(
      table(
        caption,
        columns.map(([, key]) => w("of." + key)),
        rows.map(r => columns.map(([name]) => cell(kind, name, r))),
      ),
    );
    if (total > shown) parts.push(el("p", { class: "row" },
      el("button", { class: "quiet", disabled: from === 0, onclick: go(Math.max(0, from - shown)) }, w("previous")),
      el("button", { class: "quiet", disabled: from + shown >= total, onclick: go(from + shown) }, w("next"))));
    return parts;
  }

  function bookView() {
    const b = opened.book, rows = [];
    for (const r of b.records) for (const f of r.fields) {
      rows.push([f.name, r.kind, f.means]);
      for (const c of (f.codes && opened.book.codes[f.codes]) || [])
        rows.push([f.name + " = " + c.code, r.kind, c[lang] + (lang === "en" ? "" : " (" + c.en + ")")]);
    }
    said = w("codebook");
    return [
      el("div", { lang: "en" }, el("p", {}, b.about), el("ul", {}, ...b.notes.map(n => el("li", {}, n)))),
      table(w("codebook"), [w("field"), w("record"), w("means")], rows),
      el("h3", {}, w("sources")),
      el(
        "ul",
        {},
        ...b.sources.map(s =>
          el(
            "li",
            {},
            s.codes +
              ": " +
              s.source +
              ", " +
              s.version +
              ". " +
              w("checked", { who: s.verified_by }) +
              (s.verified_on ? ", " + s.verified_on : ""),
          ),
        ),
      ),
    ];
  }

  const saveLines = () =>
    save("archive.jsonl", "application/x-ndjson", opened.order.filter(b => b.kind !== "words").map(b => b.text));
  const saveBook = () => save("codebook.json", "application/json", [JSON.stringify(opened.book, null, 1)]);
  function save(name, type, parts) {
    const url = URL.createObjectURL(new Blob(parts, { type }));
    el("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
  }

  function draw() {
    const inside = $("inside");
    if (!opened) { inside.replaceChildren(); return; }
    const i = opened.info, facts = [["reason", i.reason], ["recipient", i.recipient]];
    for (const [k] of kinds) if (k === "person" || size(opened, k)) facts.push([k, digits(size(opened, k))]);
    if (i.counts.left_out) facts.push(["leftOut", digits(i.counts.left_out)]);
    if (i.records_of_a_later_version) facts.push(["later", digits(i.records_of_a_later_version)]);
    const tabs = [...kinds.map(([k]) => k).filter(k => k === "person" || size(opened, k)), "codebook"];
    inside.replaceChildren(
      el("dl", { class: "facts number" }, ...facts.flatMap(([k, v]) => [el("dt", {}, w(k)), el("dd", {}, v)])),
      el("nav", { "aria-label": w("views") }, ...tabs.map(k => el("button", { class: "quiet", id: "view-" + k,
        "aria-current": String(k === view.kind),
        onclick: () => { view = { kind: k, code: view.code, from: 0 }; draw(); $("view-" + k).focus(); } }, w(k)))),
      ...(view.kind === "codebook" ? bookView() : rowsView()),
      el("h2", {}, w("save")),
      el("p", { class: "care" }, w("saveCare", { date: i.destroy_after })),
      el("p", { class: "row" },
        el("button", { id: "save-lines", class: "quiet", onclick: saveLines }, w("saveLines")),
        el("button", { id: "save-book", class: "quiet", onclick: saveBook }, w("saveBook")),
        el("button", { id: "lock", onclick: () => location.reload() }, w("lock"))));
    $("status").textContent = said;
  }

  function speak(next) {
    lang = next;
    document.documentElement.lang = lang;
    for (const b of $("languages").children) b.setAttribute("aria-pressed", String(b.lang === lang));
    $("languages").setAttribute("aria-label", t("languages"));
    const draft = languages.find(l => l[0] === lang)[2];
    $("draft").hidden = !draft;
    $("draft").textContent = draft ? t("draft") : "";
    document.title = t("title");
    $("title").textContent = opened ? w("opened") : t("title");
    for (const id of ["ask", "hint", "open", "care"]) $(id).textContent = t(id);
    $("showLabel").textContent = t("show");
    if ($("error").dataset.key) $("error").textContent = t($("error").dataset.key);
    if (head) {
      const late = Math.floor((Date.now() + 7 * 36e5) / 864e5) > head.destroy;
      $("written").textContent = t("written", { date: day(head.written) });
      $("destroy").textContent = t("destroy", { date: day(head.destroy) });
      $("late").hidden = !late;
      $("late").textContent = late ? t("late", { date: day(head.destroy) }) : "";
    }
    draw();
  }

  function complain(key) {
    $("error").dataset.key = key;
    $("error").textContent = key ? t(key) : "";
    $("phrase").setAttribute("aria-invalid", String(key === "wrong" || key === "empty"));
    $("status").textContent = "";
  }

  for (const [code, name] of languages)
    $("languages").append(
      el("button", { type: "button", class: "quiet", lang: code, onclick: () => speak(code) }, name),
    );
  const wanted = (navigator.languages || []).map(l => l.slice(0, 2)).find(l => words[l]);
  let broken = "";
  try {
    head = readHeader();
    if (!crypto.subtle || typeof DecompressionStream === "undefined" || typeof TextDecoderStream === "undefined")
      fail("browser");
  } catch (e) { broken = e instanceof Failure ? e.message : "damaged"; }
  $("gate").hidden = false;
  speak(wanted || "en");
  complain(broken);
  $("open").disabled = $("phrase").disabled = !!broken;

  $("show").addEventListener("change", () => $("phrase").classList.toggle("masked", !$("show").checked));
  $("gate").addEventListener("submit", async e => {
    e.preventDefault();
    if ($("open").disabled) return;
    if (!$("phrase").value.trim()) { complain("empty"); $("phrase").focus(); return; }
    complain("");
    $("open").disabled = true;
    $("status").textContent = t("opening");
    let percent = 0;
    try {
      const key = await keyOf($("phrase").value);
      opened = await unpack(key, part => {
        const p = Math.floor(part * 10) * 10;
        if (p > percent && p < 100) { percent = p; $("status").textContent = t("progress", { n: p }); }
      });
      source.text = "";
      $("phrase").value = "";
      $("gate").hidden = true;
      $("inside").hidden = false;
      $("status").className = "heard"; // from now on the table's caption says it to the eye
      speak(lang);
      $("title").focus();
      awake();
    } catch (err) {
      complain(err instanceof Failure ? err.message : "damaged");
      $("open").disabled = false;
      $("phrase").focus();
      $("phrase").select();
    }
  });

  // A page that nobody touches locks itself.
  let timer;
  function awake() {
    if (!opened) return;
    clearTimeout(timer);
    timer = setTimeout(() => location.reload(), idle);
  }
  for (const what of ["click", "keydown", "scroll", "pointermove"])
    addEventListener(what, awake, { passive: true, capture: true });
});
