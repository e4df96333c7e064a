// The desk works without script; this only lends it the camera, counts letters near a field's end, and keeps drafts.
"use strict";
self.krama = { assets: "/static/", url: u => u };
addEventListener("input", e => {
  const f = e.target;
  if (!f.dataset || !f.dataset.letters) return;
  let o = f.nextElementSibling;
  if (!o || o.tagName !== "OUTPUT") { o = document.createElement("output"); o.className = "soft"; f.after(o); }
  const left = f.maxLength - f.value.length;
  o.textContent = left < 100 ? left + " " + f.dataset.letters : "";
});

// What is typed into a form with data-draft is kept a second after the last letter, and before another form or a link
// leaves the page.
// When the form itself is sent, a draft that is on its way comes first: it would outlive what it was the draft of.
(() => {
  let dirty = null, pause = 0, sending = null, waiting = null;
  // One after the other: the one that was written last is the one that stays.
  const post = fields => {
    const go = () => fetch("/draft", { method: "POST", body: fields, keepalive: true, redirect: "error" });
    const mine = (sending ? sending.then(go) : go()) // at once where it can: the page may be on its way out
      .catch(() => {})
      .finally(() => { if (sending === mine) sending = null; });
    sending = mine;
    return mine;
  };
  const keep = () => {
    clearTimeout(pause);
    const f = dirty;
    dirty = null;
    if (!f || !f.isConnected) return sending;
    const fields = new URLSearchParams(new FormData(f));
    fields.delete("once");
    fields.set("draft-of", f.getAttribute("action"));
    return post(fields);
  };
  addEventListener("input", e => {
    const f = e.target.closest && e.target.closest("form[data-draft]");
    if (!f) return;
    dirty = f;
    clearTimeout(pause);
    pause = setTimeout(keep, 1000);
  });
  // What was typed before this script ran, on a slow line or an old computer, is noticed now. After Back it is the
  // browser that has filled the form, perhaps one that was saved: that is no draft.
  const came = performance.getEntriesByType("navigation")[0];
  const forms = came && came.type === "back_forward" ? [] : document.querySelectorAll("form[data-draft]");
  for (const f of forms) {
    if ([...f.elements].some(x => x.defaultValue !== undefined && x.type !== "hidden" &&
      (x.value !== x.defaultValue || x.checked !== x.defaultChecked))) {
      dirty = f;
      pause = setTimeout(keep, 1000);
    }
  }
  let again = false;
  addEventListener("submit", async e => {
    const f = e.target, b = e.submitter;
    if (again) return;
    if (f === waiting) { e.preventDefault(); return; } // tapped twice
    if (f === dirty) { clearTimeout(pause); dirty = null; }
    if (!dirty && !sending) return;
    e.preventDefault();
    waiting = f;
    await keep();
    waiting = null;
    again = true;
    try { f.requestSubmit(b && b.isConnected ? b : undefined); } finally { again = false; }
  });
  addEventListener("click", e => { // Cancel inside a form forgets what was typed
    const a = e.target.closest && e.target.closest("form[data-draft] a[href]");
    if (!a) return;
    clearTimeout(pause);
    dirty = null;
    post(new URLSearchParams({ "draft-of": a.closest("form").getAttribute("action") }));
  });
  addEventListener("pagehide", keep);
  addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") keep(); });
})();
