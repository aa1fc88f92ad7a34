// The whole profile with oauth4webapi, by its own calls.
import * as oauth from 'oauth4webapi';
import { check, done, enter, given, refuses, visit } from './ask.mjs';

const plain = { [oauth.allowInsecureRequests]: true }; // the server is on this machine
const issuer = new URL(given.issuer);
const as = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...plain }).then((r) => oauth.processDiscoveryResponse(issuer, r));
check(as.code_challenge_methods_supported?.includes('S256'), 'the server supports S256');
const redirect = given.redirect;
const resource = new URL(given.resource);

// PKCE, by a public client and one with a secret; plain, pushed, and bound to a key.
async function code(client, auth, { pushed, DPoP } = {}) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const parameters = {
    client_id: client.client_id, redirect_uri: redirect, response_type: 'code', scope: 'events:read tickets:read', state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  };
  const url = new URL(as.authorization_endpoint);
  if (pushed) {
    const push = () => oauth.pushedAuthorizationRequest(as, client, auth, parameters, { DPoP, ...plain });
    const process = (r) => oauth.processPushedAuthorizationResponse(as, client, r);
    const { request_uri } = await again(push, process);
    url.search = new URLSearchParams({ client_id: client.client_id, request_uri });
  } else {
    url.search = new URLSearchParams(parameters);
  }
  const back = await visit(url);
  const answer = oauth.validateAuthResponse(as, client, back, state); // state and iss
  return again(
    () => oauth.authorizationCodeGrantRequest(as, client, auth, answer, redirect, verifier, { DPoP, ...plain }),
    (r) => oauth.processAuthorizationCodeResponse(as, client, r),
  );
}

// Once more with the nonce, where the server asks for one.
async function again(ask, process) {
  try {
    return await process(await ask());
  } catch (err) {
    if (!oauth.isDPoPNonceError(err)) throw err;
    return process(await ask());
  }
}

async function use(token, DPoP) {
  const ask = () => oauth.protectedResourceRequest(token.access_token, 'GET', resource, undefined, null, { DPoP, ...plain });
  let r;
  try {
    r = await ask();
  } catch (err) {
    if (!oauth.isDPoPNonceError(err)) throw err;
    r = await ask();
  }
  check(r.status === 200, `the resource answers ${r.status}`);
  await r.body?.cancel();
}

const basic = { client_id: given.basic.clientId };
for (const [client, auth] of [
  [{ client_id: given.public.clientId }, oauth.None()],
  [basic, oauth.ClientSecretBasic(given.basic.clientSecret)],
  [{ client_id: given.post.clientId }, oauth.ClientSecretPost(given.post.clientSecret)],
]) {
  for (const how of [{}, { pushed: true }, { DPoP: oauth.DPoP(client, await oauth.generateKeyPair('ES256')) }, { pushed: true, DPoP: oauth.DPoP(client, await oauth.generateKeyPair('ES256')) }]) {
    const token = await code(client, auth, how);
    check(token.token_type === (how.DPoP ? 'dpop' : 'bearer'), `token_type is ${token.token_type}`);
    await use(token, how.DPoP);
    const next = await again(
      () => oauth.refreshTokenGrantRequest(as, client, auth, token.refresh_token, { DPoP: how.DPoP, ...plain }),
      (r) => oauth.processRefreshTokenResponse(as, client, r),
    );
    check(next.refresh_token !== token.refresh_token, 'the refresh token is another');
    await use(next, how.DPoP);
    await oauth.revocationRequest(as, client, auth, next.refresh_token, plain).then(oauth.processRevocationResponse);
    await refuses(
      again(
        () => oauth.refreshTokenGrantRequest(as, client, auth, next.refresh_token, { DPoP: how.DPoP, ...plain }),
        (r) => oauth.processRefreshTokenResponse(as, client, r),
      ),
      'invalid_grant',
    );
  }
}

const secret = oauth.ClientSecretBasic(given.basic.clientSecret);
const machine = await oauth.clientCredentialsGrantRequest(as, basic, secret, { scope: 'events:read' }, plain).then((r) => oauth.processClientCredentialsResponse(as, basic, r));
await use(machine);
const about = await oauth.introspectionRequest(as, basic, secret, machine.access_token, plain).then((r) => oauth.processIntrospectionResponse(as, basic, r));
check(about.active && about.sub === given.basic.clientId && about.scope === 'events:read', `introspection says ${JSON.stringify(about)}`);

const device = await oauth.deviceAuthorizationRequest(as, basic, secret, { scope: 'events:read' }, plain).then((r) => oauth.processDeviceAuthorizationResponse(as, basic, r));
const poll = () => oauth.deviceCodeGrantRequest(as, basic, secret, device.device_code, plain).then((r) => oauth.processDeviceCodeResponse(as, basic, r));
await refuses(poll(), 'authorization_pending');
await enter(device.verification_uri, device.user_code);
await new Promise((wake) => setTimeout(wake, (device.interval ?? 5) * 1000 + 200));
await use(await poll());

// The way from a resource to its server (RFC 9728).
const api = new URL('/api/v1', issuer);
const about_api = await oauth.resourceDiscoveryRequest(api, plain).then((r) => oauth.processResourceDiscoveryResponse(api, r));
check(about_api.authorization_servers?.includes(given.issuer), `the resource names ${about_api.authorization_servers}`);
done();
