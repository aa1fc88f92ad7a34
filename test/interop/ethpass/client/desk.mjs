// What the programs share: what they are given, an organisation's door, and who there is.
import { isDeepStrictEqual } from 'node:util';
import { privateKeyToAccount } from 'viem/accounts';

export const given = JSON.parse(process.env.GIVEN ?? '{}');

/** call asks the server and returns its answer, whatever the status. */
export async function call(method, path, body) {
  const answer = await fetch(given.base + path, {
    method, redirect: 'manual', headers: { 'X-API-KEY': given.key, ...(body && { 'Content-Type': 'application/json' }) }, body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, location: answer.headers.get('location'), body: text && JSON.parse(text) };
}

/** ok is call for what has to go well. */
export async function ok(method, path, body) {
  const answer = await call(method, path, body);
  if (answer.status !== 200) throw new Error(`${method} ${path} = ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** say tells the test what came of it. */
export const say = (said) => process.stdout.write(JSON.stringify(said));

/** checks collects what is not as it should be, and says so at the end. */
export function checks() {
  const faults = [];
  let count = 0;
  return {
    expect(got, want, what) {
      count++;
      if (!isDeepStrictEqual(got, want)) faults.push(`${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
    },
    done: () => say({ faults, checks: count }),
  };
}

/** people have wallets: the first two accounts of every development chain. */
export const people = {
  kari: privateKeyToAccount('0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80'),
  ola: privateKeyToAccount('0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d'),
};

/** contracts are what there is on chain 1: tokens (ERC-721), and a wallet of Kari's (ERC-1271). */
export const contracts = { token: '0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB', wallet: '0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359' };
