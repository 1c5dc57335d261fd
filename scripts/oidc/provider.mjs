// An identity provider on loopback: oidc-provider with resource indicators, so that its access tokens are JWTs (RFC 9068).
//
//     node provider.mjs PORT PATH-OF-THE-INSTALLED-PACKAGE
//
// Keys are made at run time. Its people are those below, any password is right. A line on stdin changes its keys: `publish`
// adds one that does not sign yet, `activate` has the newest sign (made first if there is none waiting), `withdraw` leaves
// only the one that signs. Each is answered by a line on stdout.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [port, home] = process.argv.slice(2);
const { default: Provider } = await import(pathToFileURL(`${home}/node_modules/oidc-provider/lib/index.js`));

const issuer = `http://127.0.0.1:${port}`;
const callback = `${issuer}/callback`;
const CATALOG = 'https://catalog.example.com';
const people = {
  alice: { email: 'alice@example.com', email_verified: true, groups: ['platform-engineers'], roles: [] },
  bob: { email: 'bob@example.com', email_verified: true, groups: ['marketing'], roles: [] },
  root: { email: 'root@example.com', email_verified: true, groups: [], roles: ['catalog-admin'] },
  mallory: { email: 'mallory@example.com', email_verified: false, groups: ['platform-engineers'], roles: ['catalog-admin'] },
  stranger: { email: 'stranger@elsewhere.example', email_verified: true, groups: ['platform-engineers'], roles: [] },
};

function newKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' };
}

// The first one signs; the last one may be waiting.
let keys = [newKey()];
let isWaiting = false;
let handler;

function open() {
  const provider = new Provider(issuer, {
    jwks: { keys },
    clients: [{
      client_id: 'cli',
      token_endpoint_auth_method: 'none',
      redirect_uris: [callback],
      application_type: 'native',
      grant_types: ['authorization_code'],
    }],
    cookies: { keys: ['loopback only'] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    pkce: { required: () => true },
    ttl: { AccessToken: 300, AuthorizationCode: 60, IdToken: 300, Interaction: 300, Session: 300, Grant: 300 },
    findAccount: async (_ctx, id) => people[id] && { accountId: id, claims: async () => ({ sub: id, ...people[id] }) },
    extraTokenClaims: async (_ctx, token) => people[token.accountId],
    features: {
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: async () => true,
        getResourceServerInfo: async (_ctx, resource) => ({
          scope: 'catalog', audience: resource, accessTokenTTL: 300, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  });
  handler = provider.callback();
}

const changes = {
  publish: () => { keys = [...keys, newKey()]; isWaiting = true; },
  activate: () => {
    keys = isWaiting ? [keys.at(-1), ...keys.slice(0, -1)] : [newKey(), ...keys];
    isWaiting = false;
  },
  withdraw: () => { keys = [keys[0]]; isWaiting = false; },
};

// A browser that was under way when the keys changed is no reason to end.
process.on('uncaughtException', (error) => console.error(error));
process.on('unhandledRejection', (error) => console.error(error));

open();
createServer((request, response) => handler(request, response)).listen(Number(port), '127.0.0.1', () => {
  process.stdout.write(`ready ${issuer} ${CATALOG}\n`);
});
createInterface({ input: process.stdin }).on('line', (line) => {
  changes[line.trim()]();
  open();
  process.stdout.write(`done ${line.trim()} ${keys[0].kid}\n`);
}).on('close', () => process.exit(0));
