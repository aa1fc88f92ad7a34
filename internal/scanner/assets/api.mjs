// The server's API as a device sees it.

/** What went wrong: a status of the server's, or 0 where there was no answer. */
export class Failed extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** Calls the API, and gives up after some milliseconds. */
export async function call(method, path, { credential, body, patience = 8000, headers = {} } = {}) {
  let r;
  try {
    r = await fetch(path, {
      method, signal: AbortSignal.timeout(patience), cache: 'no-store', credentials: 'omit',
      headers: { ...(credential && { Authorization: 'Bearer ' + credential }), ...(body && { 'Content-Type': 'application/json' }), ...headers },
      ...(body && { body: JSON.stringify(body) }),
    });
  } catch {
    throw new Failed(0, 'There is no answer from the server.');
  }
  if (r.status === 304 || r.status === 204) return { status: r.status };
  let said;
  try {
    said = await r.json();
  } catch {
    throw new Failed(r.ok ? 0 : r.status, 'The answer of the server did not come whole.');
  }
  if (!r.ok) throw new Failed(r.status, said.errors?.[0]?.detail ?? said.detail ?? 'The server refuses it.');
  return { status: r.status, said, tag: r.headers.get('ETag') };
}
