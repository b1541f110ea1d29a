// Introspects and revokes as a tenant's backend in Node.js would that was told its issuer and its key and nothing else:
// `oauth4webapi` finds the calls in the issuer's metadata and drives both (RFC 8414, 7662, 7009), against the demo and an
// installation, for access tokens and refresh tokens.
import assert from "node:assert/strict";

import * as oauth from "oauth4webapi";

import { DOCUMENTED, NIL, login } from "./login.mjs";

const insecure = { [oauth.allowInsecureRequests]: true };
const operator = { authorization: `Bearer ${process.env.REAL_OPERATOR_TOKEN}`, "content-type": "application/json" };
// A key that was brought along, with characters that HTTP Basic carries otherwise than OAuth does.
const brought = { tenantKey: "key_of-oauth.mjs~%2D+&!", tenantSecret: "s3cret%41+&=~'()*!-_.%%abcdefgh" };
const made = await fetch(`${process.env.REAL_OPERATOR}/operator/v1/tenants/acme/keys`, {
  method: "POST",
  headers: operator,
  body: JSON.stringify({ purpose: "backend", ...brought }),
});
assert.equal(made.status, 200, await made.text());

const demo = {
  base: process.env.DEMO,
  family: "customer/individual",
  tenant: "tenant-demo-001",
  login: DOCUMENTED,
  key: "b4Ck3nDk3YaBcDeFgHiJkLmNoPqR",
  secret: "b4Ck3nDs3Cr3tXyZpQwErTyUiOpAsDfGh",
};
const real = {
  base: process.env.REAL,
  family: "admin/organization",
  tenant: "acme",
  login: JSON.parse(process.env.REAL_LOGIN),
  key: brought.tenantKey,
  secret: brought.tenantSecret,
};

let checks = 0;
function check(what, seen, expected) {
  assert.deepEqual(seen, expected, what);
  checks += 1;
}

async function session(server) {
  const { token, refreshToken, sessionId, userId } = await login(
    ...[server.base, server.family, server.tenant, server.login],
  );
  return { access: token, refresh: refreshToken, sessionId, userId };
}

/** What the app is told of its session. */
async function look(server, { access, sessionId }) {
  const path = `/api/v2.1/${server.family}/${NIL}/users/${NIL}/sessions/${sessionId}`;
  const headers = { authorization: `Bearer ${access}`, "x-tenant-id": server.tenant };
  const answer = await fetch(server.base + path, { headers });
  return [answer.status, (await answer.json()).data];
}

for (const [server, other] of [[demo, real], [real, demo]]) {
  const issuer = new URL(`${server.base}/t/${server.tenant}`);
  const documents = [];
  for (const algorithm of ["oauth2", "oidc"]) {
    const answer = await oauth.discoveryRequest(issuer, { algorithm, ...insecure });
    documents.push(await oauth.processDiscoveryResponse(issuer, answer));
  }
  check("both documents are one", documents[0], documents[1]);
  const [as] = documents;
  check("the one way", as.introspection_endpoint_auth_methods_supported, ["client_secret_basic"]);
  check("the one way", as.revocation_endpoint_auth_methods_supported, ["client_secret_basic"]);
  const client = { client_id: server.key };
  const backend = oauth.ClientSecretBasic(server.secret);
  const introspect = async (token, hint, authentication = backend) => {
    const options = { ...insecure, additionalParameters: hint ? { token_type_hint: hint } : {} };
    const answer = await oauth.introspectionRequest(as, client, authentication, token, options);
    return oauth.processIntrospectionResponse(as, client, answer);
  };
  const revoke = async (token, hint) => {
    const options = { ...insecure, additionalParameters: hint ? { token_type_hint: hint } : {} };
    const answer = await oauth.revocationRequest(as, client, backend, token, options);
    check("a revocation's answer", await oauth.processRevocationResponse(answer), undefined);
  };
  const inactive = { active: false };

  for (const kind of ["access", "refresh"]) {
    const mine = await session(server);
    for (const hint of [undefined, "access_token", "refresh_token", "pizza"]) {
      const told = await introspect(mine[kind], hint);
      check(
        `an active ${kind} token, hint ${hint}`,
        [told.active, told.token_type, told.iss, told.sub, told.sid, told.userId],
        [true, { access: "Bearer", refresh: "refresh_token" }[kind], issuer.href, mine.userId, mine.sessionId, mine.userId],
      );
      assert.ok(told.exp > Date.now() / 1000 && Array.isArray(told.roles), JSON.stringify(told));
    }
    const theirs = await session(other);
    for (const token of [theirs.access, theirs.refresh, "garbage", mine.sessionId, `${mine.access}x`]) {
      check("what is not the tenant's", await introspect(token), inactive);
      await revoke(token);
    }
    check("it lives on", (await look(server, mine))[0], 200);
    check("the other tenant's lives on", (await look(other, theirs))[0], 200);

    await revoke(mine[kind], kind === "access" ? "refresh_token" : "access_token");
    for (const token of [mine.access, mine.refresh]) check("what was revoked", await introspect(token), inactive);
    const [status, data] = await look(server, mine);
    check("the app is told", [status, data.errorType, data.endReason], [401, "SESSION_ENDED", "ended_by_backend"]);
    await revoke(mine[kind]);
    console.log(`${issuer.href}: introspection and revocation by ${kind} token`);
  }

  const mine = await session(server);
  const refused = async (authentication) => {
    try {
      await introspect(mine.access, undefined, authentication);
    } catch (error) {
      return [error.constructor.name, error.status, error.cause[0]?.scheme];
    }
    return "let in";
  };
  for (const [what, authentication] of [
    ["a wrong secret", oauth.ClientSecretBasic("wrong")],
    ["a secret in the body", oauth.ClientSecretPost(server.secret)],
    ["no secret", oauth.None()],
  ]) {
    check(what, await refused(authentication), ["WWWAuthenticateChallengeError", 401, "basic"]);
  }
  console.log(`${issuer.href}: no other way to show a key`);
}
console.log(`${checks} answers were as they must be`);
