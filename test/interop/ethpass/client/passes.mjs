// Reads .pkpass files with two libraries that make such files: each has to understand all that is in them.
import { readdir, readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { Template } from '@walletpass/pass-js';
import { PKPass } from 'passkit-generator';
import { given, say } from './desk.mjs';

const groups = ['headerFields', 'primaryFields', 'secondaryFields', 'auxiliaryFields', 'backFields'];

/** faultsOf lists what is not as it should be in one pass. */
async function faultsOf(pass) {
  const faults = [];
  const expect = (got, want, what) => isDeepStrictEqual(got, want) || faults.push(`${what} is ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
  const json = JSON.parse(await readFile(`${pass.Dir}/pass.json`, 'utf8'));
  await passJS(pass, json, expect);
  await passkitGenerator(pass, json, expect, faults);
  return faults;
}

/** codes are what a pass shows to scanners, and want what it is to show: nothing any more, if it is void. */
const codes = (read) => read.barcodes?.map((b) => [b.format, b.message]) ?? [];
const want = (pass) => (pass.Barcode ? [[pass.Format, pass.Barcode]] : []);

async function passJS(pass, json, expect) {
  const template = await Template.fromBuffer(await readFile(pass.Path));
  const read = template.createPass();
  read.validate(); // throws
  expect(read.style, pass.Style, 'pass-js: style');
  expect(read.serialNumber, json.serialNumber, 'pass-js: serialNumber');
  expect(codes(read), want(pass), 'pass-js: barcodes');
  expect(Boolean(read.voided), pass.Voided, 'pass-js: voided');
  for (const [key, value] of Object.entries(pass.Fields ?? {})) {
    expect(groups.map((g) => read[g].get(key)?.value).find(Boolean), value, `pass-js: the field ${key}`);
  }
  expect([...template.localization.keys()].sort(), await languages(pass), 'pass-js: languages');
  for (const name of ['icon.png', 'icon@2x.png', 'icon@3x.png']) {
    expect(template.images.has(name), true, `pass-js: ${name}`);
  }
}

/** languages are those that a pass has words in. pass-js reads words in UTF-16 only, passkit-generator in UTF-8 only; phones read both, and we write UTF-8. */
const languages = async (pass) => (await readdir(pass.Dir)).filter((n) => n.endsWith('.lproj')).map((n) => n.slice(0, -6)).sort();

/** plain is a value without what passkit-generator writes otherwise: it has all groups of fields, and all instants in UTC. It leaves out barcode, which is for iOS 8. */
const plain = (value) => JSON.parse(JSON.stringify(value), (_, v) => {
  if (Array.isArray(v) && v.length === 0) return undefined;
  return typeof v === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/.test(v) ? Date.parse(v) : v;
});

async function passkitGenerator(pass, json, expect, faults) {
  const files = {};
  for (const name of await readdir(pass.Dir, { recursive: true, withFileTypes: true })) {
    if (!name.isFile()) continue;
    const path = `${name.parentPath ?? name.path}/${name.name}`;
    files[path.slice(pass.Dir.length + 1)] = await readFile(path);
  }
  console.warn = (...said) => faults.push(`passkit-generator warns: ${said.join(' ')}`);
  const read = new PKPass(files, certificates);
  expect(read.type, pass.Style, 'passkit-generator: type');
  const props = read.props;
  expect(codes(props), want(pass), 'passkit-generator: barcodes');
  for (const [name, value] of Object.entries(json)) {
    if (!['formatVersion', 'barcode'].includes(name)) expect(plain(props[name]), plain(value), `passkit-generator: ${name}`);
  }
  expect(read.languages.sort(), await languages(pass), 'passkit-generator: languages with words');
  read.getAsBuffer(); // has to have all that a pass needs, and the certificates have to be of use
}

const text = (file) => readFile(file, 'utf8');
const certificates = { wwdr: await text(given.signing.PEM), signerCert: await text(given.signing.File), signerKey: await text(given.signing.Key) };
const said = [];
for (const pass of given.passes) {
  said.push({ Name: pass.Name, Faults: await faultsOf(pass).catch((e) => [e.stack]) });
}
say(said);
