// A chain with three sorts of contracts, asked by JSON-RPC. It decodes and encodes with viem, and knows nothing of how we do.
import { createServer } from 'node:http';
import { decodeFunctionData, encodeErrorResult, encodeFunctionResult, parseAbi, recoverAddress } from 'viem';
import { contracts, people } from './desk.mjs';

const abi = parseAbi([
  'function ownerOf(uint256 tokenId) view returns (address)',
  'function isValidSignature(bytes32 hash, bytes signature) view returns (bytes4)',
  'error ERC721NonexistentToken(uint256 tokenId)',
]);
const yes = '0x1626ba7e', no = '0xffffffff';

/** reverted is how nodes say that a contract refuses. */
class Reverted extends Error {
  constructor(data) { super('execution reverted'); this.data = data; }
}

const owners = new Map([[42n, people.kari.address], [2n ** 256n - 1n, people.kari.address], [43n, people.ola.address], [44n, contracts.wallet]]);

const code = {
  [contracts.token]: {
    ownerOf(id) {
      if (!owners.has(id)) throw new Reverted(encodeErrorResult({ abi, errorName: 'ERC721NonexistentToken', args: [id] }));
      return owners.get(id);
    },
  },
  [contracts.wallet]: {
    async isValidSignature(hash, signature) {
      if (signature === '0xfeed') return yes; // as wallets do whose signatures are something else
      if ((signature.length - 2) / 2 !== 65) throw new Reverted('0x');
      return await recoverAddress({ hash, signature }) === people.kari.address ? yes : no;
    },
  },
};

/** result answers one request. */
async function result({ jsonrpc, method, params }) {
  if (method === 'eth_chainId') return '0x1';
  const [{ to, data }, block] = params;
  if (jsonrpc !== '2.0' || method !== 'eth_call' || block !== 'latest') throw new Error(`${jsonrpc} ${method} ${block}`);
  const { functionName, args } = decodeFunctionData({ abi, data });
  const contract = code[to];
  if (!contract) return '0x'; // nothing is there
  if (!contract[functionName]) throw new Reverted('0x');
  return encodeFunctionResult({ abi, functionName, result: await contract[functionName](...args) });
}

const server = createServer(async (request, response) => {
  let text = '';
  for await (const part of request) text += part;
  const asked = JSON.parse(text), answer = { jsonrpc: '2.0', id: asked.id };
  try {
    answer.result = await result(asked);
  } catch (e) {
    answer.error = e instanceof Reverted ? { code: 3, message: e.message, data: e.data } : { code: -32602, message: e.message };
  }
  response.setHeader('Content-Type', 'application/json').end(JSON.stringify(answer));
});
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}` })));
process.stdin.resume().on('end', () => process.exit());
