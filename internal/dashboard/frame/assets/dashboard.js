// What pages of the dashboard do beside showing themselves. Nothing here is needed to use a page; everything is a convenience on top.
'use strict';

(() => {
  // The browser's zone, so that the server can show instants in it. The first page that a browser ever sees is shown once more for it.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const known = document.cookie.split('; ').find((c) => c.startsWith('stagedoor_zone='));
  if (zone && known !== 'stagedoor_zone=' + encodeURIComponent(zone)) {
    document.cookie = 'stagedoor_zone=' + encodeURIComponent(zone) + '; path=/; max-age=31536000; samesite=lax' + (location.protocol === 'https:' ? '; secure' : '');
  }

  // The menu is open where there is room for it.
  const menu = document.getElementById('menu');
  if (menu) {
    const wide = matchMedia('(min-width: 60rem)');
    const fit = () => { menu.open = wide.matches; };
    wide.addEventListener('change', fit);
    fit();
  }

  // Buttons that copy the text before them. An element with data-text names what is copied by an id.
  const copied = async (button) => {
    const from = button.dataset.copy ? document.getElementById(button.dataset.copy) : button.parentElement.querySelector('pre, code, input, textarea');
    const text = from.value ?? from.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(from);
      button.textContent = 'Press Ctrl+C';
    }
    setTimeout(() => { button.textContent = 'Copy'; }, 2000);
  };
  const equip = (root) => {
    for (const b of root.querySelectorAll('[data-copy], [data-pause]')) b.hidden = false;
    for (const el of root.querySelectorAll('[data-live]')) listen(el);
  };
  document.addEventListener('click', (e) => {
    const b = e.target.closest('[data-copy]');
    if (b) copied(b);
  });

  // Live parts of pages: an element with data-live="ADDRESS OF A STREAM" gets the event "news" when there is something new, four times a second at most, and
  // fetches it with htmx by itself (hx-trigger="news"). So what is shown always comes from the database, and nothing is missed by an interruption. A button
  // with data-pause="ID" pauses it. How it stands is said in the element named by data-state.
  const streams = new Map();
  function listen(el) {
    if (streams.has(el)) return;
    let source, due, paused = false, missed = false, tries = 0;
    const say = (text) => {
      const at = document.getElementById(el.dataset.state);
      if (at) at.textContent = text;
    };
    const news = () => {
      if (paused) { missed = true; return; }
      due ??= setTimeout(() => {
        due = undefined;
        if (paused) missed = true; else htmx.trigger(el, 'news');
      }, 250);
    };
    const open = () => {
      source = new EventSource(el.dataset.live);
      source.onopen = () => { tries = 0; say(paused ? 'Paused' : 'Live'); news(); };
      source.onmessage = news;
      for (const name of ['fact', 'attempt', 'envelope', 'event', 'gap', ...(el.dataset.events ?? '').split(' ').filter(Boolean)]) source.addEventListener(name, news);
      source.onerror = () => {
        say('Not connected; trying again');
        if (source.readyState !== EventSource.CLOSED) return;
        setTimeout(() => { if (streams.has(el)) open(); }, Math.min(1000 * 2 ** tries++, 30000));
      };
      source.addEventListener('bye', () => { source.close(); setTimeout(() => { if (streams.has(el)) open(); }, 3000); });
    };
    streams.set(el, () => source.close());
    document.addEventListener('click', (e) => {
      const b = e.target.closest('[data-pause]');
      if (!b || b.dataset.pause !== el.id) return;
      paused = !paused;
      b.setAttribute('aria-pressed', String(paused));
      b.textContent = paused ? 'Go on' : 'Pause';
      say(paused ? 'Paused' : 'Live');
      if (!paused && missed) { missed = false; news(); }
    });
    open();
  }
  addEventListener('pagehide', () => { for (const [el, close] of streams) { close(); streams.delete(el); } });
  addEventListener('pageshow', (e) => { if (e.persisted) equip(document); });

  // Live lists do not grow for ever: data-most says how many rows stay.
  document.addEventListener('htmx:afterSwap', (e) => {
    const list = e.target.closest?.('[data-most]');
    while (list && list.children.length > Number(list.dataset.most)) list.lastElementChild.remove();
  });
  document.addEventListener('htmx:load', (e) => equip(e.detail.elt));
  document.addEventListener('DOMContentLoaded', () => equip(document));
  if (document.readyState !== 'loading') equip(document);
})();
