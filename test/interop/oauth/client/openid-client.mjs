// The whole profile with openid-client, which is told nothing but where the server is.
import * as client from 'openid-client';
import { check, done, enter, given, refuses, visit } from './ask.mjs';

const server = new URL(given.issuer);
const open = (id, secret, auth) => client.discovery(server, id, secret, auth, { algorithm: 'oauth2', execute: [client.allowInsecureRequests] });

async function code(config, { pushed, DPoP } = {}) {
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const parameters = {
    redirect_uri: given.redirect, scope: 'events:read tickets:read', state, code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  };
  const url = pushed ? await client.buildAuthorizationUrlWithPAR(config, parameters, { DPoP }) : client.buildAuthorizationUrl(config, parameters);
  return client.authorizationCodeGrant(config, await visit(url), { pkceCodeVerifier: verifier, expectedState: state }, undefined, { DPoP });
}

async function use(config, token, DPoP) {
  const r = await client.fetchProtectedResource(config, token.access_token, new URL(given.resource), 'GET', undefined, undefined, { DPoP });
  check(r.status === 200, `the resource answers ${r.status}`);
  await r.body?.cancel();
}

const basic = await open(given.basic.clientId, given.basic.clientSecret, client.ClientSecretBasic(given.basic.clientSecret));
for (const config of [
  await open(given.public.clientId, undefined, client.None()),
  basic,
  await open(given.post.clientId, given.post.clientSecret), // the library's own choice
]) {
  for (const how of [{}, { pushed: true }, { DPoP: client.getDPoPHandle(config, await client.randomDPoPKeyPair()) }, { pushed: true, DPoP: client.getDPoPHandle(config, await client.randomDPoPKeyPair()) }]) {
    const token = await code(config, how);
    await use(config, token, how.DPoP);
    const next = await client.refreshTokenGrant(config, token.refresh_token, undefined, { DPoP: how.DPoP });
    await use(config, next, how.DPoP);
    await client.tokenRevocation(config, next.refresh_token);
    await refuses(client.refreshTokenGrant(config, next.refresh_token, undefined, { DPoP: how.DPoP }), 'invalid_grant');
  }
}

const machine = await client.clientCredentialsGrant(basic, { scope: 'events:read' });
await use(basic, machine);
const about = await client.tokenIntrospection(basic, machine.access_token);
check(about.active && about.sub === given.basic.clientId, `introspection says ${JSON.stringify(about)}`);

const device = await client.initiateDeviceAuthorization(basic, { scope: 'events:read' });
await enter(device.verification_uri, device.user_code);
await use(basic, await client.pollDeviceAuthorizationGrant(basic, device));
done();
