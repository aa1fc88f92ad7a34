// What the scripts share: how they have the test's browser go somewhere, and how they check.
import readline from 'node:readline/promises';

export const given = JSON.parse(process.env.GIVEN); // issuer, clients, resource

const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// Has the person's browser go to a page, allow what is asked, and come back: resolves to the URL that the app would see.
export async function visit(url) {
  console.log(JSON.stringify({ visit: String(url) }));
  const { value } = await answers.next();
  return new URL(JSON.parse(value).back);
}

// Has the person enter a device's code.
export async function enter(uri, code) {
  console.log(JSON.stringify({ enter: code, visit: uri }));
  await answers.next();
}

export function check(holds, what) {
  if (!holds) throw new Error(`not so: ${what}`);
}

export async function refuses(promise, error) {
  try {
    await promise;
  } catch (err) {
    check(err.error === error, `the error is ${err.error} (${err.message}), want ${error}`);
    return;
  }
  throw new Error(`nothing was refused; want ${error}`);
}

export function done() {
  console.log(JSON.stringify({ done: true }));
  process.exit(0);
}
