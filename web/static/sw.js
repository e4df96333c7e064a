// Keeps the program, never data: the same few files for everybody, by the hash in their names.
"use strict";
const CACHE = "krama-VERSION", FILES = ["/app/", ...ASSETS];

oninstall = e => e.waitUntil(caches.open(CACHE).then(c => c.addAll(FILES)).then(() => skipWaiting()));
onactivate = e =>
  e.waitUntil(
    caches
      .keys()
      .then(ks => Promise.all(ks.filter(k => k !== CACHE).map(k => caches.delete(k))))
      .then(() => clients.claim()),
  );
onfetch = e => {
  const u = new URL(e.request.url);
  if (e.request.method !== "GET" || u.origin !== location.origin || !u.pathname.startsWith("/app/")) return;
  e.respondWith(caches.open(CACHE).then(c => c.match(u.pathname)).then(hit => hit || fetch(e.request)));
};
