// Decides about a code without a network, by the bundle that the server gave before. It knows what the bundle knows: signatures, the event, what is revoked, classes, the list's
// times, and who has come in here or was in when the bundle was made. What it cannot know (sections, limits by day and gate, other devices), the server judges afterwards.

import { importKeys, verifyTicket, verifyRotating, eventTag, Revocations, Refused } from './verify.mjs';

const crockford = '0123456789abcdefghjkmnpqrstvwxyz';
const bytesOf = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

/** The bytes of a ticket's id in hexadecimal, as codes have them. */
export function ticketHex(id) {
  let bits = 0, n = 0, out = '';
  for (const c of id.replace(/^tkt_/, '')) {
    bits = (bits << 5) | crockford.indexOf(c);
    n += 5;
    if (n >= 8) {
      n -= 8;
      out += ((bits >> n) & 0xff).toString(16).padStart(2, '0');
      bits &= (1 << n) - 1;
    }
  }
  return out.slice(0, 32);
}

/** The name under which what is known of a ticket on a list is kept. The event's default list is one, however it is named. */
export const keyOf = (bundle, listId, ticket) => (listId || bundle.lists.find((l) => l.default)?.id || '') + ' ' + ticket;

/** A judge of an event's codes. used are the tickets that have come in: a Map of list and ticket to { inside, at, gate }. */
export async function judgeOf(bundle, used) {
  const keys = await importKeys(bundle.codes.keys);
  const revocations = new Revocations(keys.org);
  await revocations.apply(keys, bytesOf(bundle.codes.revocations.list));
  const tag = await eventTag(keys.org, bundle.event.eventId);
  const r = bundle.codes.rotation;
  const rotation = r?.seed && { seed: bytesOf(r.seed), period: r.stepSeconds, algorithm: r.algorithm };
  for (const u of bundle.used) {
    const key = keyOf(bundle, u.listId, ticketHex(u.ticketId));
    if (!used.has(key)) used.set(key, { inside: u.inside, at: u.at, gate: u.gate });
  }
  return { bundle, keys, revocations, tag, rotation, used };
}

const listOf = (bundle, id) => bundle.lists.find((l) => (id ? l.id === id : l.default)) ?? { policy: 'single', classes: [], limits: {} };

/** What a device says of a code: { status, message, more, ticket }. */
export async function judge(j, { code, listId, direction, gate, now = Date.now() }) {
  let token;
  try {
    token = await (j.rotation ? verifyRotating(j.keys, j.rotation, code, now / 1000) : verifyTicket(j.keys, code, now / 1000));
  } catch (err) {
    if (!(err instanceof Refused)) throw err;
    return { status: { not_yet: 'not_yet', too_late: 'too_late' }[err.reason] ?? 'invalid', message: words[err.reason] ?? 'This is no valid code.' };
  }
  const list = listOf(j.bundle, listId);
  if (token.tag !== j.tag) return { status: 'wrong_event', message: 'The ticket is for another event.' };
  if (j.revocations.revoked(token)) return { status: 'cancelled', message: 'The ticket is cancelled, or was given to somebody else.' };
  if (list.classes?.length && !list.classes.includes(token.class)) return { status: 'wrong_list', message: 'The ticket does not admit here.' };
  if (list.gates?.length && !list.gates.includes(gate) && !j.bundle.gates.some((g) => g.name === gate && list.gates.includes(g.id))) return { status: 'wrong_list', message: 'The ticket does not admit at this gate.' };
  if (list.opensAt && now < Date.parse(list.opensAt)) return { status: 'not_yet', message: 'The list has not opened yet.' };
  if (list.closesAt && now >= Date.parse(list.closesAt)) return { status: 'too_late', message: 'The list has closed.' };

  const key = keyOf(j.bundle, listId, token.ticket);
  const was = j.used.get(key);
  if (direction === 'exit') {
    j.used.set(key, { ...was, inside: false });
    return { status: 'checked_out', message: 'Goodbye.', ticket: token.ticket };
  }
  if (was && (was.inside || list.policy !== 'reentry')) {
    return { status: 'already_checked_in', message: 'In already since ' + new Date(was.at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }) + (was.gate ? ' at ' + was.gate : '') + '.' };
  }
  if (was && list.limits?.minMinutes && now - Date.parse(was.at) < list.limits.minMinutes * 60000) return { status: 'limit', message: 'Too soon after the last time.' };
  j.used.set(key, { inside: true, at: new Date(now).toISOString(), gate });
  return { status: 'checked_in', message: 'Welcome.', ticket: token.ticket };
}

const words = {
  not_yet: 'It is too early.', too_late: 'It is too late.', not_current: 'The code is a picture, or an old one; ask for the one that moves.',
  not_rotating: 'The code is a picture, or an old one; ask for the one that moves.',
};
