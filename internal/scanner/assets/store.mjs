// What the phone keeps: a few things by name, and the scans that the server has not answered for. IndexedDB, because it is on disk when it says so.

/** @type {Promise<IDBDatabase>} */
const opened = new Promise((resolve, reject) => {
  const r = indexedDB.open('stagedoor-door', 1);
  r.onupgradeneeded = () => {
    r.result.createObjectStore('things');
    r.result.createObjectStore('scans', { keyPath: 'seq' });
  };
  r.onsuccess = () => resolve(r.result);
  r.onerror = () => reject(r.error);
});

/** Runs something in a transaction, and is done when that is on disk. */
async function transact(stores, mode, work) {
  const t = (await opened).transaction(stores, mode, { durability: 'strict' });
  const done = new Promise((resolve, reject) => {
    t.oncomplete = resolve;
    t.onabort = t.onerror = () => reject(t.error);
  });
  const answer = work(t);
  await done;
  return answer?.result;
}

export const get = (name) => transact('things', 'readonly', (t) => t.objectStore('things').get(name));
export const put = (name, value) => transact('things', 'readwrite', (t) => t.objectStore('things').put(value, name));

/** Writes a scan down under the next number of this device, and returns the number. */
export async function keep(scan) {
  let seq;
  await transact(['things', 'scans'], 'readwrite', (t) => {
    const things = t.objectStore('things');
    const last = things.get('seq');
    last.onsuccess = () => {
      seq = (last.result ?? 0) + 1;
      things.put(seq, 'seq');
      t.objectStore('scans').add({ ...scan, seq });
    };
  });
  return seq;
}

export const waiting = () => transact('scans', 'readonly', (t) => t.objectStore('scans').getAll());
export const forget = (seqs) => transact('scans', 'readwrite', (t) => { for (const s of seqs) t.objectStore('scans').delete(s); });
export const count = () => transact('scans', 'readonly', (t) => t.objectStore('scans').count());

/** Forgets everything. The number of the last scan stays: the server knows a device's scans by it. */
export const clear = () => transact(['things', 'scans'], 'readwrite', (t) => {
  for (const name of ['device', 'choice', 'bundle', 'used']) t.objectStore('things').delete(name);
  t.objectStore('scans').clear();
});
