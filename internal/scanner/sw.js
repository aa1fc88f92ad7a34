// Keeps the page of the door, so that it starts without a network. What the API answers is never kept here.
'use strict';

const kept = __KEPT__;
const cache = 'door __ROOT__';

self.addEventListener('install', (e) => {
  e.waitUntil(caches.open(cache).then((c) => c.addAll(kept.map((url) => new Request(url, { cache: 'reload' })))).then(() => self.skipWaiting()));
});

self.addEventListener('activate', (e) => {
  e.waitUntil((async () => {
    for (const name of await caches.keys()) if (name.startsWith('door ') && name !== cache) await caches.delete(name);
    await self.clients.claim();
  })());
});

self.addEventListener('fetch', (e) => {
  const url = new URL(e.request.url);
  if (e.request.method !== 'GET' || url.origin !== self.location.origin) return;
  const shell = url.pathname === '/door' || url.pathname === '/door/';
  if (!shell && !kept.includes(url.pathname)) return;
  e.respondWith((async () => {
    if (url.pathname === '/assets/account.css') { // it is not of this page's release
      const fresh = await fetch(e.request).catch(() => undefined);
      if (fresh?.ok) {
        (await caches.open(cache)).put(url.pathname, fresh.clone());
        return fresh;
      }
    }
    const mine = await (await caches.open(cache)).match(shell ? '/door' : url.pathname);
    return mine ?? fetch(e.request);
  })());
});

// Where browsers tell that there is a network again, the open pages upload what waits.
self.addEventListener('sync', (e) => {
  e.waitUntil(self.clients.matchAll().then((all) => all.forEach((c) => c.postMessage('upload'))));
});
