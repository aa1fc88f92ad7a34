// Verifies Stagedoor's ticket codes in a browser, with Web Crypto and nothing else; Node.js 20 and later run it too. It is written
// from the page of the Go package beside it, shares no code with it, and is held to the same testdata/vectors.json.
//
//   import { importKeys, verifyTicket, Refused } from './verify.mjs';
//
//   const keys = await importKeys(await (await fetch('/.well-known/stagedoor-keys.json')).json());
//   try {
//     const token = await verifyTicket(keys, scanned);
//     // genuine; the event, the class, revocations and earlier admissions are still to check
//   } catch (err) {
//     if (!(err instanceof Refused)) throw err;
//     // err.reason: malformed, wrong_version, unknown_key, bad_signature, not_yet, too_late
//   }
//
// Web Crypto is there on secure pages only (https, or localhost), and knows Ed25519 in Chrome 137, Firefox 129, Safari 17 and later.
// Times are Unix seconds, bytes Uint8Array, numbers that may pass 2^32 plain numbers (all are below 2^53).

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:';
const prefix = 'SD1:';
const textLength = 154;
const noEnd = 0xffffffff;
const utf8 = new TextEncoder();

/** Why a code, a key set or a list was refused: reason is one of the Go package's Reasons. */
export class Refused extends Error {
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

const refuse = (reason) => {
  throw new Refused(reason);
};

const nowInSeconds = () => Date.now() / 1000;

/** The bytes as lower-case hexadecimal. */
export const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');

function join(...parts) {
  const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    all.set(p, at);
    at += p.length;
  }
  return all;
}

const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function bigEndian(n, size) {
  const b = new Uint8Array(size);
  for (let i = size - 1; i >= 0; i--, n = Math.floor(n / 256)) b[i] = n % 256;
  return b;
}

/** Strict base45 (RFC 9285): one spelling for every run of bytes. */
export function decodeBase45(text) {
  if (text.length % 3 === 1) refuse('malformed');
  const bytes = [];
  for (let i = 0; i < text.length; i += 3) {
    const group = text.slice(i, i + 3).split('').map((c) => alphabet.indexOf(c));
    const n = group.reduceRight((sum, v) => sum * 45 + v, 0);
    if (group.includes(-1) || n > (group.length === 3 ? 0xffff : 0xff)) refuse('malformed');
    if (group.length === 3) bytes.push(n >> 8);
    bytes.push(n & 0xff);
  }
  return Uint8Array.from(bytes);
}

/** The tag of an event in hexadecimal, to compare with a token's. */
export async function eventTag(org, event) {
  const id = utf8.encode(org);
  const text = join(utf8.encode('stagedoor ticket tag 1\0'), bigEndian(id.length, 4), id, utf8.encode(event));
  return hex(new Uint8Array(await crypto.subtle.digest('SHA-256', text)).slice(0, 6));
}

// Keys

// Points whose multiples are few, by their second coordinate: anybody could sign for them.
const smallOrder = new Set([
  '00'.repeat(32),
  '01' + '00'.repeat(31),
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ec' + 'ff'.repeat(30) + '7f',
  'ed' + 'ff'.repeat(30) + '7f',
  'ee' + 'ff'.repeat(30) + '7f',
]);

function decodePublic(x) {
  if (typeof x !== 'string' || !/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/.test(x)) refuse('malformed');
  const bytes = Uint8Array.from(atob(x.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
  const y = bytes.slice();
  y[31] &= 0x7f;
  if (smallOrder.has(hex(y))) refuse('malformed');
}

function keyTime(n) {
  if (n === undefined) return undefined;
  if (!Number.isInteger(n) || n < 1 || n > 253402300799) refuse('malformed');
  return n;
}

const isOrg = (org) => typeof org === 'string' && /^[\x21-\x7e]{1,64}$/.test(org);
const isObject = (v) => typeof v === 'object' && v !== null && !Array.isArray(v);

/** The keys of an organisation's published JSON Web Key Set, ready for use. */
export async function importKeys(set) {
  if (!isObject(set) || !isOrg(set.org) || !Array.isArray(set.keys)) refuse('malformed');
  const keys = new Map();
  for (const k of set.keys) {
    if (!isObject(k) || 'd' in k || 'k' in k) refuse('malformed');
    if (typeof k.kty !== 'string' || (k.kty === 'OKP' && typeof k.crv !== 'string')) refuse('malformed');
    if (k.kty !== 'OKP' || k.crv !== 'Ed25519') continue; // RFC 7517 §5
    if (!['sig', undefined].includes(k.use) || !['EdDSA', 'Ed25519', undefined].includes(k.alg)) refuse('malformed');
    if (typeof k.kid !== 'string' || !/^[1-9][0-9]{0,2}$/.test(k.kid) || Number(k.kid) > 255) refuse('malformed');
    const id = Number(k.kid);
    const [from, until] = [keyTime(k.nbf), keyTime(k.exp)];
    if (keys.has(id) || from >= until) refuse('malformed');
    decodePublic(k.x);
    const jwk = { kty: k.kty, crv: k.crv, x: k.x };
    keys.set(id, { from, until, public: await crypto.subtle.importKey('jwk', jwk, { name: 'Ed25519' }, false, ['verify']) });
  }
  return { org: set.org, keys };
}

async function verify(keySet, id, message, signature, now) {
  const k = keySet.keys.get(id);
  if (k === undefined || now < k.from || now >= k.until) refuse('unknown_key');
  if (!(await crypto.subtle.verify({ name: 'Ed25519' }, k.public, signature, message))) refuse('bad_signature');
}

// Tickets

/** The token of a code that one of the keys has signed and whose window has now in it. */
export async function verifyTicket(keySet, text, now = nowInSeconds()) {
  if (/^SD[2-9]:./s.test(text)) refuse('wrong_version');
  if (text.length !== textLength || !text.startsWith(prefix)) refuse('malformed');
  const bytes = decodeBase45(text.slice(prefix.length));
  const view = viewOf(bytes);
  if (bytes[0] !== 1) refuse('wrong_version');
  const token = {
    keyId: bytes[1],
    tag: hex(bytes.slice(2, 8)),
    ticket: hex(bytes.slice(8, 24)),
    generation: view.getUint16(24),
    class: view.getUint16(26),
    validFrom: view.getUint32(28) || undefined,
    validUntil: view.getUint32(32) === noEnd ? undefined : view.getUint32(32),
  };
  const empty = view.getUint32(28) >= view.getUint32(32);
  if (token.keyId === 0 || /^0*$/.test(token.ticket) || token.generation === 0 || empty) refuse('malformed');

  await verify(keySet, token.keyId, join(utf8.encode(prefix), bytes.slice(0, 36)), bytes.slice(36), now);
  if (now < token.validFrom) refuse('not_yet');
  if (now >= token.validUntil) refuse('too_late');
  return token;
}

// Revocations

/** The revocation list in bytes that one of the keys has signed. */
export async function verifyRevocations(keySet, bytes, now = nowInSeconds()) {
  const ascii = (from, to) => String.fromCharCode(...bytes.slice(from, to));
  if (bytes.length < 6 || ascii(0, 3) !== 'SDR') refuse('malformed');
  if (ascii(0, 4) !== 'SDR1') refuse('wrong_version');
  const head = 6 + bytes[5];
  if (bytes[5] === 0 || bytes[5] > 64 || bytes.length < head + 24 + 64) refuse('malformed');
  const org = ascii(6, head);
  if (org !== keySet.org) refuse('wrong_org');
  const view = viewOf(bytes);
  const [since, seq] = [Number(view.getBigUint64(head)), Number(view.getBigUint64(head + 8))];
  const [issued, count] = [view.getUint32(head + 16), view.getUint32(head + 20)];
  if (count > 100000 || bytes.length !== head + 24 + 18 * count + 64 || issued === 0 || issued === noEnd) refuse('malformed');

  const signed = bytes.length - 64;
  await verify(keySet, bytes[4], bytes.slice(0, signed), bytes.slice(signed), now);
  if (seq > Number.MAX_SAFE_INTEGER || since > seq || (since === seq && count > 0)) refuse('malformed');
  const revoked = [];
  let last = '0'.repeat(32);
  for (let i = 0; i < count; i++) {
    const at = head + 24 + 18 * i;
    const ticket = hex(bytes.slice(at, at + 16));
    if (ticket <= last) refuse('malformed');
    revoked.push({ ticket, through: view.getUint16(at + 16) });
    last = ticket;
  }
  return { org, since, seq, issued, revoked };
}

/** What a gate knows of an organisation's revoked tickets. */
export class Revocations {
  constructor(org) {
    Object.assign(this, { org, seq: 0, issued: 0, through: new Map() });
  }

  /** Takes in a list; if it is refused, nothing has changed. */
  async apply(keySet, bytes, now = nowInSeconds()) {
    if (keySet.org !== this.org) refuse('wrong_org');
    const list = await verifyRevocations(keySet, bytes, now);
    if (list.seq < this.seq || (list.seq === this.seq && list.issued < this.issued)) refuse('stale');
    if (list.since > this.seq) refuse('gap');
    if (list.since === 0) this.through = new Map();
    for (const { ticket, through } of list.revoked) {
      if (through === 0) this.through.delete(ticket);
      else this.through.set(ticket, through);
    }
    this.seq = list.seq;
    this.issued = Math.max(this.issued, list.issued);
  }

  /** Whether the token's generation of its ticket is revoked. */
  revoked({ ticket, generation }) {
    return generation <= (this.through.get(ticket) ?? 0);
  }
}

// The code to type

const crockford = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** The short code that was typed, in its one form. */
export function parseShortCode(typed) {
  if (utf8.encode(typed).length > 64) refuse('malformed');
  const looks = { O: '0', I: '1', L: '1', U: 'V' };
  const letters = typed
    .replace(/[ \u00a0\u2010-\u2015-]/g, '')
    .replace(/[a-z]/g, (c) => c.toUpperCase())
    .replace(/[OILU]/g, (c) => looks[c]);
  const values = letters.split('').map((c) => crockford.indexOf(c));
  if (values.length !== 12 || values.includes(-1)) refuse('malformed');
  const double = (c) => (c << 1) ^ (c >= 16 ? 0b100101 : 0); // in GF(32)
  const sum = values.reduce((s, c) => s ^ c, 0);
  const value = values.reduce((s, c) => double(s) ^ c, 0);
  if (sum !== 0 || value !== 0) refuse('mistyped');
  return letters.replace(/(.{4})(.{4})(.{4})/, '$1-$2-$3');
}

// Rotating codes

/** The secret of a ticket's generation. rotation: { seed: Uint8Array, period: seconds, algorithm: 'SHA1' or 'SHA256' }. */
export async function rotatingSecret({ seed, algorithm }, { ticket, generation }) {
  const id = Uint8Array.from(ticket.match(/../g), (b) => parseInt(b, 16));
  const info = join(utf8.encode(`stagedoor rotating ticket 1 ${algorithm}\0`), id, bigEndian(generation, 2));
  const base = await crypto.subtle.importKey('raw', seed, 'HKDF', false, ['deriveBits']);
  const bits = algorithm === 'SHA256' ? 256 : 160;
  return new Uint8Array(await crypto.subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info }, base, bits));
}

async function oneTimePassword(secret, algorithm, step) {
  const hash = algorithm === 'SHA256' ? 'SHA-256' : 'SHA-1';
  const key = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash }, false, ['sign']);
  const sum = new Uint8Array(await crypto.subtle.sign('HMAC', key, bigEndian(step, 8)));
  const n = viewOf(sum).getUint32(sum[sum.length - 1] & 0xf) & 0x7fffffff;
  return String(n % 100000000).padStart(8, '0');
}

/** verifyTicket for the codes of an event that asks for rotating ones. */
export async function verifyRotating(keySet, rotation, text, now = nowInSeconds()) {
  if (text.length === textLength && text.startsWith(prefix)) refuse('not_rotating');
  const rest = /^-([1-9][0-9]{9})-([0-9]{8})$/.exec(text.slice(textLength));
  if (rest === null) refuse('malformed');
  const token = await verifyTicket(keySet, text.slice(0, textLength), now);
  const step = (seconds) => Math.floor(seconds / rotation.period);
  const shown = Number(rest[1]);
  if (Math.abs(step(shown) - step(now)) > 1) refuse('not_current');
  const secret = await rotatingSecret(rotation, token);
  if ((await oneTimePassword(secret, rotation.algorithm, step(shown))) !== rest[2]) refuse('not_current');
  return token;
}
