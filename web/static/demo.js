// The demo's two halves of a scan, side by side: what a camera would carry from one screen to the other.
"use strict";
(() => {
  const phone = document.getElementById("phone"),
    office = document.getElementById("office"),
    say = document.getElementById("say");
  const doc = () => phone.contentDocument;
  const find = q => doc() && doc().querySelector(q);
  const step = n => { for (const s of office.querySelectorAll("[data-step]")) s.hidden = +s.dataset.step !== n; };

  async function post(path, text) {
    const r = await fetch(path, {
      method: "POST",
      redirect: "error",
      body: text,
      headers: { "Content-Type": "text/plain" },
    });
    if (!r.ok) throw new Error((await r.text()).trim());
    return r.text();
  }

  async function act(f) { say.textContent = ""; try { await f(); } catch (e) { say.textContent = e.message; } }

  document.getElementById("begin").addEventListener("click", () => {
    document.getElementById("intro").hidden = true;
    document.getElementById("halves").hidden = false;
    phone.src = "/app/";
    step(1);
  });
  document.getElementById("scan1").addEventListener("click", () => act(async () => {
    const q = find("[data-qr]");
    if (!q) throw new Error(say.dataset.first);
    const t = await post("/demo/scan", q.dataset.qr);
    const at = t.indexOf("\n");
    const img = document.getElementById("qr2");
    img.src = "data:image/svg+xml," + encodeURIComponent(t.slice(at + 1));
    img.dataset.qr = t.slice(0, at);
    step(2);
  }));
  document.getElementById("scan2").addEventListener("click", () => act(async () => {
    const f = find("form.scan");
    if (!f) throw new Error(say.dataset.first);
    f.elements.code.value = document.getElementById("qr2").dataset.qr;
    f.requestSubmit();
    step(3);
  }));
  document.getElementById("finish").addEventListener("click", () => act(async () => {
    await post("/demo/finish", "");
    step(4);
  }));
})();
