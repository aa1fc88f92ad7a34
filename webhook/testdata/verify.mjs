// Checks vectors.json with Node.js alone: node verify.mjs. It shares no code with the Go package, so it shows that the file says
// all that another language needs. Prints the number of vectors that hold; exits 1 if one does not.
import crypto from 'node:crypto';
import { readFileSync } from 'node:fs';

const file = JSON.parse(readFileSync(new URL('vectors.json', import.meta.url), 'utf8'));

const written = (part, last) => (part.repeat ?? '').repeat(part.times ?? 0) + last;
const bodyOf = (b) => (b.base64 ? Buffer.from(b.base64, 'base64') : Buffer.from(written(b, b.text ?? ''), 'utf8'));
const visible = (s) => /^[\x21-\x7e]+$/.test(s);

class Refused extends Error {}
const refuse = (reason) => {
  throw new Refused(reason);
};

function valueOf(headers, name, plain = true) {
  const found = headers.filter((h) => h.name.toLowerCase() === name).map((h) => written(h, h.value));
  if (found.length === 0) refuse('missing_header');
  if (found.length > 1 || found[0] === '' || (plain && !visible(found[0]))) refuse('malformed');
  return found[0];
}

const has = (headers, name) => headers.some((h) => h.name.toLowerCase() === name);

function timeOf(v, name) {
  const text = valueOf(v.headers, name);
  if (!/^(0|[1-9][0-9]{0,17})$/.test(text)) refuse('malformed');
  const age = v.now - Number(text);
  if (age > v.toleranceSeconds) refuse('too_old');
  if (-age > v.toleranceSeconds) refuse('in_future');
  return text;
}

function listOf(text, separator, mark) {
  const entries = text.split(separator);
  if (entries.length > 16) refuse('malformed');
  return entries.map((entry) => {
    const i = entry.indexOf(mark);
    if (i < 1 || i === entry.length - 1 || !visible(entry)) refuse('malformed');
    return { version: entry.slice(0, i), value: entry.slice(i + 1) };
  });
}

function same(a, b) {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && crypto.timingSafeEqual(x, y);
}

const hmac = (key, parts, encoding) => {
  const h = crypto.createHmac('sha256', key);
  for (const part of parts) h.update(part);
  return h.digest(encoding);
};

function publicKey(text) {
  const x = Buffer.from(text.slice('whpk_'.length), 'base64').toString('base64url');
  return crypto.createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
}

const schemes = {
  portal(v, keys, body) {
    let signatures = valueOf(v.headers, 'x-webhook-signature');
    const time = timeOf(v, 'x-webhook-timestamp');
    if (has(v.headers, 'x-webhook-signature-next')) signatures += ',' + valueOf(v.headers, 'x-webhook-signature-next');
    const list = listOf(signatures, ',', '=').filter((s) => s.version === 'sha256');
    return keys.some((k) => list.some((s) => same(s.value, hmac(k, [time, '.', body], 'hex'))));
  },
  pullup(v, keys, body) {
    const list = [valueOf(v.headers, 'x-pullup-signature')];
    if (has(v.headers, 'x-pullup-signature-next')) list.push(valueOf(v.headers, 'x-pullup-signature-next'));
    return keys.some((k) => list.some((s) => same(s, hmac(k, [body], 'hex'))));
  },
  standard(v, keys, body) {
    const id = valueOf(v.headers, 'webhook-id');
    if (id.includes('.')) refuse('malformed');
    const time = timeOf(v, 'webhook-timestamp');
    const list = listOf(valueOf(v.headers, 'webhook-signature', false), ' ', ',');
    return keys.some((k) => {
      if (k.startsWith('whsec_')) {
        const expected = hmac(Buffer.from(k.slice('whsec_'.length), 'base64'), [id, '.', time, '.', body], 'base64');
        return list.some((s) => s.version === 'v1' && same(s.value, expected));
      }
      const message = Buffer.concat([Buffer.from(`${id}.${time}.`), body]);
      return list.some((s) => {
        const signature = Buffer.from(s.value, 'base64');
        return s.version === 'v1a' && signature.toString('base64') === s.value && crypto.verify(null, message, publicKey(k), signature);
      });
    });
  },
  static(v, keys) {
    const value = valueOf(v.headers, 'authorization', false);
    return keys.some((k) => same(value, k));
  },
};

function verdict(v) {
  const live = v.keys.filter((k) => k.until === undefined || v.now < k.until).map((k) => k.key);
  try {
    return schemes[v.scheme](v, live, bodyOf(v.body)) ? undefined : 'no_match';
  } catch (err) {
    if (err instanceof Refused) return err.message;
    throw err;
  }
}

let wrong = 0;
for (const v of file.vectors) {
  const got = verdict(v);
  if (got !== v.error) {
    wrong++;
    console.log(`${v.name}: got ${got ?? 'accepted'}, want ${v.error ?? 'accepted'}`);
  }
}
console.log(`${file.vectors.length - wrong} of ${file.vectors.length} vectors hold`);
process.exitCode = wrong === 0 ? 0 : 1;
