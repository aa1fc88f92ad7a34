// The page of the door: pair, choose, scan.

import * as store from './store.mjs';
import { call, Failed } from './api.mjs';
import { judgeOf, judge, keyOf, ticketHex } from './judge.mjs';
import { Camera } from './camera.mjs';
import { awaken, tell } from './sound.mjs';

const $ = (id) => document.getElementById(id);
const show = (section) => { for (const s of ['pair', 'setup', 'scan']) $(s).hidden = s !== section; };
const say = (id, text) => { $(id).textContent = text ?? ''; $(id).hidden = !text; };

let device, choice, bundle, tag, theJudge, camera;
let online = navigator.onLine, direction = 'entry', counted = { inside: undefined, extra: 0 };
const used = new Map(), noted = new Map(); // who is in, as far as is known here; and of that, what came while a bundle was under way

// Pairing

/** Makes this phone the device of a code. What it was before ends only then, with what it had to upload. */
async function pair(code) {
  if (device && await left()) throw new Error('This phone has scans that are not uploaded yet. Connect it to the network, wait until they are, and open the link again.');
  const { said } = await call('POST', '/api/v1/devices/enroll', { body: { code } });
  await store.clear();
  used.clear();
  choice = bundle = undefined;
  device = { id: said.id, name: said.name, credential: said.credential, events: said.events, gates: said.gates };
  await store.put('device', device);
}

/** How many scans are not uploaded, after trying. */
async function left() {
  await upload();
  return store.count();
}

async function unpair(why) {
  camera?.stop();
  await store.clear();
  device = choice = bundle = theJudge = undefined;
  used.clear();
  say('pair-problem', why);
  show('pair');
}

// Choosing

async function setup(problem) {
  show('setup');
  say('setup-problem', problem);
  $('events').replaceChildren(...device.events.map((e) => new Option(e, e)));
  if (device.events.length === 1) $('event').value = device.events[0];
  if (choice) { $('event').value = choice.event; $('gate').value = choice.gate; }
  if ($('event').value) await lists();
}

/** Gets the lists and gates of the event that was chosen. */
async function lists() {
  await refresh($('event').value.trim()).then(offer, (err) => say('setup-problem', err.message));
}

function offer() {
  $('list').replaceChildren(...bundle.lists.map((l) => new Option(l.name, l.default ? '' : l.id)));
  if (!bundle.lists.some((l) => l.default)) $('list').prepend(new Option("The event's own", ''));
  $('list').value = choice?.list ?? '';
  $('gates').replaceChildren(...bundle.gates.map((g) => new Option(g.name, g.name)));
}

/** Gets the event's bundle, if it is not the one that is here. */
async function refresh(event) {
  noted.clear();
  const fresh = await call('GET', '/api/v1/checkin/bundle?eventId=' + encodeURIComponent(event), {
    credential: device.credential, headers: bundle?.event.eventId === event && tag ? { 'If-None-Match': tag } : {},
  });
  if (fresh.status === 304) return;
  if ((await store.count()) === 0) used.clear(); // the server knew all that this phone knew
  await take(fresh.said, fresh.tag);
  for (const [key, value] of noted) used.set(key, value);
  await store.put('used', [...used]);
}

async function take(b, t) {
  if (bundle && bundle.event.eventId !== b.event.eventId) used.clear();
  theJudge = await judgeOf(b, used).catch(() => undefined); // a browser without Ed25519: it asks the server only
  bundle = b;
  tag = t;
  await store.put('bundle', { bundle, tag });
}

async function open(event, list, gate) {
  await refresh(event);
  choice = { event, list, gate };
  await store.put('choice', choice);
  door();
}

// Scanning

function door() {
  show('scan');
  offer();
  $('title').textContent = bundle.event.name + (choice.gate ? ', ' + choice.gate : '');
  facts();
  attendance();
}

let last = { code: '', at: 0 }, turn = Promise.resolve(), waiting = 0, hide;

/** A code that the camera sees. It waits until the verdict before was read, and the same one counts again once it was away for three seconds. */
function seen(code) {
  const now = Date.now(), again = code === last.code && now - last.at < 3000;
  if (again) last.at = now;
  if (again || waiting || !$('verdict').hidden) return;
  last = { code, at: now };
  present(code);
}

/** Decides about a code when those before it are decided, and says so. */
function present(code) {
  waiting++;
  turn = turn.then(() => decide(code)).catch((err) => ({ status: 'refused', message: 'This phone could not decide: ' + err.message })).then(announce).finally(() => { waiting--; });
}

/** Asks the server, and where it does not answer soon, the bundle: then the scan is written down here before its verdict is shown. The nonce is of this one scan, so that it counts once if the server has heard
 * of it all the same. */
async function decide(code) {
  const at = new Date().toISOString(), nonce = crypto.randomUUID();
  const scan = { code, listId: choice.list || undefined, gate: choice.gate || undefined, direction, scannedAt: at, nonce };
  if (online) {
    try {
      const { said } = await call('POST', '/api/v1/checkin/scan', { credential: device.credential, patience: 1500, body: { ...scan, eventId: choice.event } });
      net(true);
      note(said);
      return { status: said.status, message: worded(said), more: described(said.ticket) };
    } catch (err) {
      if (err instanceof Failed && err.status === 401) { await unpair('This device may not scan any more. Ask for a new code.'); throw err; }
      if (err instanceof Failed && err.status >= 400 && err.status < 500 && err.status !== 429) return { status: 'refused', message: err.message };
      net(false);
    }
  }
  if (Date.now() > Date.parse(bundle.expiresAt)) return { status: 'refused', message: 'What this phone knows is too old to decide without a network.' };
  if (!theJudge) return { status: 'refused', message: 'This browser cannot check codes without a network. Use a newer one.' };
  const before = [...used];
  const verdict = await judge(theJudge, { code, listId: choice.list || undefined, direction, gate: choice.gate });
  try {
    await store.keep({ ...scan, event: choice.event, bundleId: bundle.bundleId, offlineResult: verdict.status });
  } catch (err) { // it counts for nothing then
    used.clear();
    for (const [key, value] of before) used.set(key, value);
    throw err;
  }
  await store.put('used', [...used]);
  if (verdict.status === 'checked_in') counted.extra++;
  if (verdict.status === 'checked_out') counted.extra--;
  later();
  facts();
  return { ...verdict, more: 'Decided without a network' };
}

/** Remembers what the server said, for when it cannot be asked. */
function note(said) {
  const t = said.ticket?.id;
  if (!t) return;
  const key = keyOf(bundle, choice.list, ticketHex(t));
  if (said.status === 'checked_in') used.set(key, { inside: true, at: said.checkin.at, gate: said.checkin.gate });
  if (said.status === 'checked_out') used.set(key, { ...used.get(key), inside: false });
  if (used.has(key)) noted.set(key, used.get(key));
  store.put('used', [...used]);
  attendance();
}

/** The server's words, but for instants, which it says in UTC. */
function worded(said) {
  if (said.status !== 'already_checked_in' || !said.first) return said.message;
  return 'In already since ' + new Date(said.first.at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }) + (said.first.gate ? ' at ' + said.first.gate : '') + '.';
}

const described = (t) => (t ? [t.name, t.section, t.row && 'row ' + t.row, t.seat && 'seat ' + t.seat].filter(Boolean).join(', ') : '');
const kinds = { checked_in: 'admit', checked_out: 'admit', already_checked_in: 'known' };
const wordsOf = { checked_in: 'ADMIT', checked_out: 'OUT', already_checked_in: 'IN ALREADY' };

function announce({ status, message, more }) {
  const kind = kinds[status] ?? 'stop';
  $('verdict').className = 'verdict ' + kind;
  $('verdict-word').textContent = wordsOf[status] ?? 'STOP';
  $('verdict-text').textContent = message;
  $('verdict-more').textContent = more ?? '';
  $('said').textContent = [$('verdict-word').textContent, message, more].filter(Boolean).join('. ');
  $('verdict').hidden = false;
  tell(kind);
  clearTimeout(hide);
  hide = setTimeout(() => { $('verdict').hidden = true; }, kind === 'admit' ? 1200 : 2500);
}

// Uploading

let uploading = false;

async function upload() {
  if (uploading || !device) return;
  uploading = true;
  let most = 500;
  try {
    for (;;) {
      const all = await store.waiting();
      const first = all[0];
      if (!first) break;
      const some = all.filter((s) => s.bundleId === first.bundleId).slice(0, most);
      try {
        const { said } = await call('POST', '/api/v1/checkin/upload', {
          credential: device.credential, patience: 30000,
          body: { bundleId: first.bundleId, scans: some.map(({ event, bundleId, ...s }) => s) },
        });
        await store.forget(said.data.map((d) => d.seq));
      } catch (err) { // one that the server takes for no scan at all must not hold up the others
        if (!(err instanceof Failed) || ![400, 413, 422].includes(err.status)) throw err;
        if (some.length === 1) await store.forget([some[0].seq]);
        most = Math.ceil(some.length / 2);
      }
      net(true);
      counted.extra = 0;
    }
    attendance();
  } catch (err) {
    if (err instanceof Failed && err.status === 401) await unpair('This device may not scan any more. Ask for a new code. What was scanned without a network and not uploaded yet is lost.');
    else net(false);
  } finally {
    uploading = false;
    facts();
  }
}

function later() {
  navigator.serviceWorker?.ready.then((r) => r.sync?.register('upload')).catch(() => {});
}

// What there is to know

function net(up) {
  online = up;
  $('net').textContent = up ? 'online' : 'offline';
  $('net').className = up ? 'badge good' : 'badge';
}

async function attendance() {
  if (!online || !choice) return inside();
  try {
    const { said } = await call('GET', '/api/v1/events/' + encodeURIComponent(choice.event) + '/attendance', { credential: device.credential });
    counted = { inside: said.inside, extra: 0 };
    net(true);
  } catch (err) {
    if (!(err instanceof Failed) || err.status === 0) net(false);
  }
  inside();
}

function inside() {
  $('inside').textContent = counted.inside === undefined ? '–' : (counted.extra ? '≈ ' : '') + (counted.inside + counted.extra);
}

async function facts() {
  if (!bundle) return;
  const n = await store.count();
  const age = Math.round((Date.now() - Date.parse(bundle.issuedAt)) / 60000);
  $('facts').textContent = (n ? n + ' to upload. ' : '') + 'Ready to decide without a network until ' +
    new Date(bundle.expiresAt).toLocaleString([], { weekday: 'short', hour: '2-digit', minute: '2-digit' }) + (age > 90 ? ', by what was known ' + Math.round(age / 60) + ' h ago.' : '.');
  inside();
}

// The page itself

$('pair-form').addEventListener('submit', async (e) => {
  e.preventDefault();
  say('pair-problem');
  try {
    await pair($('code').value);
    await setup();
  } catch (err) {
    say('pair-problem', err.message);
  }
});
$('setup-form').addEventListener('submit', async (e) => {
  e.preventDefault();
  awaken();
  try {
    const event = $('event').value.trim();
    if (bundle?.event.eventId !== event) $('list').value = '';
    await open(event, $('list').value, $('gate').value.trim());
    await start();
  } catch (err) {
    say('setup-problem', err.message);
  }
});
$('unpair').addEventListener('click', async () => {
  const n = await left();
  if (!n || confirm(n + ' scans are not uploaded yet and would be lost. Unpair this phone all the same?')) unpair();
});
$('event').addEventListener('change', () => lists());
$('settings').addEventListener('click', () => { camera?.stop(); setup(); });
$('typed').addEventListener('submit', (e) => {
  e.preventDefault();
  awaken();
  const code = $('typed-code').value.trim();
  $('typed-code').value = '';
  if (code) present(code);
});
document.addEventListener('keydown', (e) => { // a hand scanner types
  if (!$('scan').hidden && e.key.length === 1 && !e.ctrlKey && !e.metaKey && document.activeElement?.tagName !== 'INPUT') $('typed-code').focus();
});
$('direction').addEventListener('click', () => {
  direction = direction === 'entry' ? 'exit' : 'entry';
  $('direction').textContent = direction === 'entry' ? 'Entry' : 'Exit';
  $('direction').setAttribute('aria-pressed', String(direction === 'exit'));
});
$('start').addEventListener('click', () => { awaken(); start(); });
let lit = false;
$('torch').addEventListener('click', async () => { lit = !lit; await camera.torch(lit).catch(() => {}); });
$('verdict').addEventListener('click', () => { $('verdict').hidden = true; });

async function start() {
  camera?.stop();
  camera = new Camera($('video'), seen, () => { $('camera-state').textContent = 'The picture cannot be read: load the page again, or type codes.'; });
  try {
    await camera.start();
    $('camera-state').textContent = '';
    $('start').hidden = true;
    $('torch').hidden = !camera.hasTorch();
    navigator.wakeLock?.request('screen').catch(() => {});
  } catch {
    $('camera-state').textContent = 'No camera: allow it in the browser, or type codes.';
    $('start').hidden = false;
  }
}

addEventListener('online', () => { net(true); upload(); });
addEventListener('offline', () => { net(false); facts(); });
document.addEventListener('visibilitychange', () => { if (!document.hidden) { upload(); attendance(); } });
setInterval(upload, 10000);
setInterval(async () => {
  if (!choice || document.hidden) return;
  await refresh(choice.event).then(() => net(true), (err) => { if (err.status === 0) net(false); });
  attendance();
  facts();
}, 30000);

if ('serviceWorker' in navigator) {
  navigator.serviceWorker.register('/door/sw.js', { scope: '/door' }).catch(() => {});
  navigator.serviceWorker.addEventListener('message', (e) => { if (e.data === 'upload') upload(); });
}

/** Starts as what this phone is: a device that has chosen, one that has not, or none. */
async function begin() {
  const code = new URLSearchParams(location.hash.slice(1)).get('pair');
  if (location.hash) history.replaceState(null, '', location.pathname);
  net(navigator.onLine);
  device = await store.get('device');
  let problem;
  if (code) await pair(code).catch((err) => { problem = err.message; });
  choice = await store.get('choice');
  const kept = await store.get('bundle');
  for (const [key, value] of (await store.get('used')) ?? []) used.set(key, value);
  if (!device) {
    show('pair');
    say('pair-problem', problem);
    return;
  }
  if (!choice || !kept) return setup(problem);
  try {
    await take(kept.bundle, kept.tag);
  } catch (err) {
    return setup(err.message);
  }
  door();
  upload();
  await start();
}

begin().catch(() => {
  show('pair');
  say('pair-problem', 'This browser keeps nothing for pages, as in a private window. Open the page in an ordinary one.');
});
