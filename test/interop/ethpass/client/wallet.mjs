// A wallet that signs with viem what the server asks for, and gets passes for it.
import { randomBytes } from 'node:crypto';
import { Template } from '@walletpass/pass-js';
import { parseSignature, serializeSignature, verifyMessage } from 'viem';
import { parseSiweMessage, validateSiweMessage } from 'viem/siwe';
import { call, checks, contracts, given, ok, people } from './desk.mjs';

const { expect, done } = checks();
const { kari, ola } = people;
const evm = (network) => ({ name: 'evm', network });
const barcode = () => ({ message: randomBytes(12).toString('hex') });

/** challenge asks for a text to sign. */
const challenge = async (address, network = 137) => (await ok('POST', '/v0/challenges', { chain: evm(network), address })).message;

/** create makes a pass for a wallet. */
const create = (wallet, network, more) => call('POST', '/v0/passes', { platform: 'apple', wallet: { chain: evm(network), ...wallet }, barcode: barcode(), ...more });

// The text that we make is one that wallets show as signing in (EIP-4361).
const text = await challenge(kari.address);
const asked = parseSiweMessage(text);
expect([asked.domain, asked.address, asked.chainId, asked.version], [new URL(given.publicURL).host, kari.address, 137, '1'], 'the challenge');
expect(validateSiweMessage({ message: asked, address: kari.address, domain: asked.domain, nonce: asked.nonce }), true, 'viem takes the challenge for valid');

// It proves the wallet once.
const proof = { address: kari.address, signatureMessage: text, signature: await kari.signMessage({ message: text }) };
const first = await create(proof, 137);
expect([first.status, first.body.ownerAddress, first.body.signatureVerified], [200, kari.address, true], 'a pass for who has signed');
expect((await create(proof, 137)).status, 409, 'the same signature again');

// Not for somebody else, and not when changed.
const stolen = await create({ ...proof, address: ola.address }, 137);
expect([stolen.status, [kari, ola].every((p) => stolen.body.message.includes(p.address))], [400, true], `a pass for somebody else (${stolen.body.message})`);
const fresh = await challenge(kari.address);
const changed = await create({ ...proof, signatureMessage: `${fresh} ` }, 137);
expect(changed.status, 400, 'a signature of another text');
const edited = fresh.replace('137', '1');
expect((await create({ address: kari.address, signatureMessage: edited, signature: await kari.signMessage({ message: edited }) }, 1)).status, 400, 'a challenge that was edited');

// Any text is taken, as the published clients sign; all forms of v, but no second form of a signature.
for (const message of ['Sign this message to generate a pass', 'Ünïcödé ✓\r\n\ttabs', 'x'.repeat(1000)]) {
  const signature = await kari.signMessage({ message }), parts = parseSignature(signature);
  for (const form of [signature, `${signature.slice(0, -2)}0${parts.yParity}`, signature.toUpperCase().replace('0X', '0x')]) {
    const made = await call('POST', '/v0/passes', { platform: 'apple', chain: evm(137), signature: form, signatureMessage: message, barcode: barcode(), nft: { contractAddress: contracts.token, tokenId: '7' } });
    expect([made.status, made.body.ownerAddress, made.body.signatureVerified], [200, kari.address, true], `${JSON.stringify(message.slice(0, 40))} signed with ${form}`);
  }
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const other = serializeSignature({ r: parts.r, s: `0x${(order - BigInt(parts.s)).toString(16).padStart(64, '0')}`, yParity: 1 - parts.yParity });
  expect(await verifyMessage({ address: kari.address, message, signature: other }).catch(() => false), true, 'the curve takes the other signature');
  expect((await create({ address: kari.address, signatureMessage: message, signature: other }, 137)).status, 400, 'a signature with the higher s');
}
const unique = { address: kari.address, signatureMessage: 'once', signature: await kari.signMessage({ message: 'once' }), requireUniqueSignature: true };
expect([(await create(unique, 137)).status, (await create(unique, 137)).status], [200, 409], 'a signature that is to count once');

// What a barcode says is signed by the project's key.
const { signer } = await ok('GET', '/v0/project');
const code = barcode(), signed = await ok('POST', '/v0/passes', { platform: 'apple', wallet: { chain: evm(137), address: ola.address }, barcode: code });
expect(await verifyMessage({ address: signer, message: `${signed.id}:${code.message}`, signature: signed.barcodeSignature }), true, 'the barcode is signed');
expect(await verifyMessage({ address: signer, message: `${signed.id}:${code.message}.`, signature: signed.barcodeSignature }), false, 'another barcode is signed');

// Handed out, a pass of Apple's comes along as Node.js writes a Buffer, and by a new link, which ends the old one.
const handed = (await ok('GET', `/v0/passes/${signed.id}/distribute`)).distribution.apple;
const file = await Template.fromBuffer(Buffer.from(handed.buffer));
expect(file.createPass().barcodes.map((b) => b.message), [code.message], 'the pass in the answer');
const link = (url) => fetch(given.base + new URL(url).pathname).then((r) => r.status);
expect([await link(signed.distribution.apple.url), await link(handed.url)], [404, 200], 'the old link and the new one');

// Chain 1 can be asked who holds what.
const nft = (tokenId) => ({ nft: { contractAddress: contracts.token, tokenId } });
for (const [who, tokenId, status] of [
  [kari, '42', 200], [kari, (2n ** 256n - 1n).toString(), 200], [kari, '43', 403], [ola, '43', 200], [ola, '42', 403], [kari, '9999', 403],
]) {
  const made = await create({ address: who.address }, 1, nft(tokenId));
  expect(made.status, status, `a pass for token ${tokenId} of ${who.address} (${made.body.message})`);
}
expect((await create({ address: kari.address }, 1, { nft: { contractAddress: ola.address, tokenId: '42' } })).status, 400, 'a token of no contract');

// A contract can be a wallet (ERC-1271).
const contractSigns = async (by, more) => {
  const message = await challenge(contracts.wallet, 1);
  const made = await create({ address: contracts.wallet, signatureMessage: message, signature: typeof by === 'string' ? by : await by.signMessage({ message }) }, 1, more);
  return [made.status, made.body.ownerAddress, made.body.signatureVerified];
};
expect(await contractSigns(kari, nft('44')), [200, contracts.wallet, true], 'the contract says that its owner has signed');
expect(await contractSigns('0xfeed'), [200, contracts.wallet, true], 'the contract takes a signature of its own kind');
expect((await contractSigns(ola))[0], 400, 'the contract says that somebody else has signed');
expect((await contractSigns('0xdead'))[0], 400, 'the contract refuses');

done();
