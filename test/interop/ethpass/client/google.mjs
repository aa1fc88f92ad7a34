// Follows download links of passes for Google's wallet, and verifies with jose what is to be saved.
import { createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { jwtVerify } from 'jose';
import { call, checks, given, ok } from './desk.mjs';

const { expect, done } = checks();
const account = JSON.parse(await readFile(given.account, 'utf8'));
const key = createPublicKey(account.private_key);

/** saved is what a pass's link would have Google save. */
async function saved(request) {
  const made = await ok('POST', '/v0/passes', { platform: 'google', ...request });
  const link = made.distribution.google.url;
  expect(link.startsWith(`${given.publicURL}/api/link/`), true, `the link ${link}`);
  const { status, location } = await call('GET', new URL(link).pathname);
  expect([status, location?.startsWith(`${given.saveURL}/`)], [302, true], `the link leads to ${location}`);
  const token = location.slice(given.saveURL.length + 1);
  const { payload } = await jwtVerify(token, key, { algorithms: ['RS256'], issuer: account.client_email, audience: 'google', requiredClaims: ['iat'] });
  expect(payload.typ, 'savetowallet', 'typ');
  expect(payload.origins, [given.publicURL], 'origins');
  const [head, , signature] = token.split('.');
  const forged = Buffer.from(JSON.stringify({ ...payload, aud: 'google', extra: 1 })).toString('base64url');
  expect(await jwtVerify([head, forged, signature].join('.'), key).then(() => 'taken', (e) => e.code), 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED', 'a token that was changed');
  return payload.payload;
}

/** known is what Google knows by an id, where a link only names it so as to be short. */
const known = async (id) => (await fetch(`${given.things}/${id}`)).json();

/** theOne is the one thing in a list, which has to have exactly one. */
async function theOne(list, what) {
  expect(list?.length, 1, `how many ${what}`);
  const named = list?.[0] ?? {}, thing = Object.keys(named).some((k) => k !== 'id' && k !== 'classId') ? named : await known(named.id);
  expect(thing.id?.startsWith(`${given.issuer}.`), true, `${what}: the id ${thing.id}`);
  return thing;
}

const { code } = await ok('GET', `/api/v1/tickets/${given.ticket}`);
const ticket = await saved({ ticketId: given.ticket });
const object = await theOne(ticket.eventTicketObjects, 'eventTicketObjects');
const class_ = ticket.eventTicketClasses ? await theOne(ticket.eventTicketClasses, 'eventTicketClasses') : await known(object.classId);
expect([object.classId, object.state, object.barcode?.type, object.barcode?.value], [class_.id, 'ACTIVE', 'QR_CODE', code], 'the ticket');
expect(class_.eventName?.defaultValue?.value, 'Sørens Jazz – «Live»', 'the event');
expect(Boolean(class_.issuerName && class_.reviewStatus), true, 'the class has issuerName and reviewStatus');

const owner = { chain: { name: 'evm', network: 137 }, address: '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed' };
const generic = await theOne((await saved({ wallet: owner, barcode: { message: 'MEMBER-0042' } })).genericObjects, 'genericObjects');
expect(generic.barcode?.value, 'MEMBER-0042', 'the barcode');
done();
