// Holds ../verify.mjs to vectors.json: node check.mjs. Prints the number of vectors that hold; exits 1 if one does not.
import { readFileSync } from 'node:fs';
import { webcrypto } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';

globalThis.crypto ??= webcrypto;
const {
  Refused, Revocations, decodeBase45, eventTag, hex, importKeys, parseShortCode, rotatingSecret, verifyRevocations, verifyRotating,
  verifyTicket,
} = await import('../verify.mjs');

const file = JSON.parse(readFileSync(new URL('vectors.json', import.meta.url), 'utf8'));
const unhex = (text) => Uint8Array.from(Buffer.from(text, 'hex'));
const unbase64 = (text) => Uint8Array.from(Buffer.from(text, 'base64'));
const plain = (value) => JSON.parse(JSON.stringify(value)); // without what is undefined

let [count, wrong] = [0, 0];

/** Compares what work gives, or the reason that it is refused for, with the vector. */
async function holds(name, work, want, reason) {
  count++;
  let got;
  try {
    got = { value: plain(await work()) };
  } catch (err) {
    if (!(err instanceof Refused)) throw err;
    got = { reason: err.reason };
  }
  const wanted = reason === undefined ? { value: plain(want) } : { reason };
  if (!isDeepStrictEqual(got, wanted)) {
    wrong++;
    console.log(`${name}: got ${JSON.stringify(got)}, want ${JSON.stringify(wanted)}`);
  }
}

const keys = await importKeys(file.keySet);

for (const v of file.base45) await holds(`base45: ${v.name}`, () => hex(decodeBase45(v.text)), v.hex ?? '', v.error);
for (const v of file.tags) await holds(`tag: ${v.event}`, () => eventTag(v.org, v.event), v.tag);

for (const v of file.keySets) {
  const ids = async () => [...(await importKeys(JSON.parse(v.json))).keys.keys()].sort((a, b) => a - b);
  await holds(`key set: ${v.name}`, ids, v.ids, v.error);
}

for (const v of file.tickets) await holds(`ticket: ${v.name}`, () => verifyTicket(keys, v.text, v.now), v.token, v.error);
for (const v of file.revocations) {
  await holds(`revocations: ${v.name}`, () => verifyRevocations(keys, unbase64(v.base64), v.now), v.list, v.error);
}

for (const v of file.histories) {
  const gate = new Revocations(v.org);
  for (const [i, step] of v.steps.entries()) {
    const apply = async () => {
      await gate.apply(keys, unbase64(step.base64), step.now);
      return {};
    };
    await holds(`history: ${v.name}: step ${i + 1}`, apply, {}, step.error);
    const state = () => ({ seq: gate.seq, issued: gate.issued, revoked: step.state.map((s) => ({ ...s, revoked: gate.revoked(s) })) });
    await holds(`history: ${v.name}: after step ${i + 1}`, state, { seq: step.seq, issued: step.issued, revoked: step.state });
  }
}

for (const v of file.shortCodes) await holds(`short code: ${v.name}`, () => parseShortCode(v.typed), v.code, v.error);

for (const v of file.rotating) {
  const rotation = { ...v.rotation, seed: unhex(v.rotation.seed) };
  await holds(`rotating: ${v.name}`, () => verifyRotating(keys, rotation, v.text, v.now), v.token, v.error);
  if (v.secret) await holds(`secret: ${v.name}`, async () => hex(await rotatingSecret(rotation, v.token)), v.secret);
}

console.log(`${count - wrong} of ${count} vectors hold`);
process.exitCode = wrong === 0 ? 0 : 1;
