// Reads a QR code with the camera: the browser's own detector where there is one, a small decoder otherwise.
"use strict";
(() => {
  let stream = null, loading = null;

  function stop() {
    if (stream) for (const t of stream.getTracks()) t.stop();
    stream = null;
  }

  function decoder(base) {
    if ("BarcodeDetector" in self) {
      const d = new BarcodeDetector({ formats: ["qr_code"] });
      return Promise.resolve(async v => { const f = await d.detect(v); return f.length ? f[0].rawValue : ""; });
    }
    loading = loading || new Promise((ok, bad) => {
      const s = document.createElement("script");
      s.src = krama.url(base + "jsqr.js");
      s.onload = ok; s.onerror = bad;
      document.head.append(s);
    });
    return loading.then(() => {
      const canvas = document.createElement("canvas");
      return async v => {
        if (!v.videoWidth) return "";
        canvas.width = v.videoWidth; canvas.height = v.videoHeight;
        const c = canvas.getContext("2d", { willReadFrequently: true });
        c.drawImage(v, 0, 0);
        const p = c.getImageData(0, 0, canvas.width, canvas.height);
        const r = jsQR(p.data, p.width, p.height);
        return r ? r.data : "";
      };
    });
  }

  async function scan(button) {
    const form = button.form, box = form.querySelector("[data-camera]"), video = box.querySelector("video");
    box.hidden = false;
    try {
      const read = await decoder(krama.assets);
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      video.srcObject = stream;
      await video.play();
      button.hidden = true;
      while (stream && video.isConnected) {
        const text = await read(video).catch(() => "");
        if (text) {
          stop();
          form.elements.code.value = text;
          form.requestSubmit();
          return;
        }
        await new Promise(r => setTimeout(r, 150));
      }
    } catch {
      box.querySelector("[data-no-camera]").hidden = false;
    }
    stop();
  }

  // A code that is shown counts down in the sentences that came with it, one a minute.
  setInterval(() => {
    for (const p of document.querySelectorAll("[data-left]")) {
      const now = performance.now(), end = +(p.dataset.end ||= now + p.dataset.left * 1000);
      const left = Math.max(0, Math.ceil((end - now) / 60000));
      for (const s of p.children) s.hidden = +s.dataset.min !== left;
    }
  }, 1000);

  document.addEventListener("click", e => {
    const b = e.target.closest("[data-scan]");
    if (b) scan(b);
  });
})();
