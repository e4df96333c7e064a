// The worker owns the core: its memory holds every key while the phone is open, and ends with it.
"use strict";
const policy = self.trustedTypes
  ? trustedTypes.createPolicy("krama", {
      createScriptURL: u => {
        if (!u.startsWith("/app/")) throw new TypeError("url");
        return u;
      },
    })
  : { createScriptURL: s => s };

onmessage = async e => {
  const m = e.data;
  if (m.wasm) {
    // Said before anything is set up: without these nothing could be kept.
    if (!self.FileSystemFileHandle || !FileSystemFileHandle.prototype.createSyncAccessHandle) {
      postMessage({ failed: "files" });
      return;
    }
    try {
      await navigator.storage.getDirectory();
    } catch {
      postMessage({ failed: "files" });
      return;
    } // a private window
    try {
      self.kramaConfig = m;
      importScripts(policy.createScriptURL(m.exec));
      const go = new Go();
      const { instance } = await WebAssembly.instantiateStreaming(
        fetch(m.wasm, { redirect: "error" }),
        go.importObject,
      );
      go.run(instance).then(() => postMessage({ failed: "ended" }));
    } catch (err) {
      postMessage({ failed: "load" });
    }
    return;
  }
  self.kramaServe(m.id, m.method, m.path, m.body);
};
