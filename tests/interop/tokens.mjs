// Logs in to both servers of `with-servers` and has the tokens verified by other people's libraries, which get the
// issuer and the token and nothing else; then has every token refused that must be.
// PYTHON names the interpreter that has PyJWT.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHmac, createPublicKey } from "node:crypto";

import { DOCUMENTED, login } from "./login.mjs";

const here = import.meta.dirname;
const VERIFIERS = {
  jose: ["node", `${here}/verify.mjs`],
  PyJWT: [process.env.PYTHON ?? "python3", `${here}/verify.py`],
};

const demo = { issuer: `${process.env.DEMO}/t/tenant-demo-001` };
const real = { issuer: `${process.env.REAL}/t/acme` };
demo.session = await login(process.env.DEMO, "customer/individual", "tenant-demo-001", DOCUMENTED);
real.session = await login(process.env.REAL, "admin/organization", "acme", JSON.parse(process.env.REAL_LOGIN));

const encode = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const decode = (part) => JSON.parse(Buffer.from(part, "base64url").toString());

// Verifiers are waited for: a connection that is kept may be closed by then.
const ONCE = { connection: "close" };

/** What must be refused of this token, and by which words each library says so. */
async function forgeries(token, issuer, other) {
  const [head, claims, signature] = token.split(".");
  const header = decode(head);
  const changed = (changes) => encode({ ...decode(claims), ...changes });
  const flipped = Buffer.from(signature, "base64url");
  flipped[10] ^= 1;
  const { keys } = await (await fetch(`${issuer}/.well-known/jwks.json`, { headers: ONCE })).json();
  const pem = createPublicKey({ key: keys[0], format: "jwk" }).export({ type: "spki", format: "pem" });
  const confused = `${encode({ ...header, alg: "HS256" })}.${claims}`;
  const hmac = createHmac("sha256", pem).update(confused).digest("base64url");
  const badSignature = /^(ERR_JWS_SIGNATURE_VERIFICATION_FAILED|InvalidSignatureError)/;
  const badAlgorithm = /^(ERR_JOSE_ALG_NOT_ALLOWED|ERR_JWKS_NO_MATCHING_KEY|ERR_JOSE_NOT_SUPPORTED|InvalidAlgorithmError)/;
  return [
    ["another tenant's token", other, /^(ERR_JWKS_NO_MATCHING_KEY|PyJWKClientError)/],
    ["a token with another expiry", `${head}.${changed({ exp: 4102444800 })}.${signature}`, badSignature],
    ["a token with another role", `${head}.${changed({ roles: ["ADMIN", "ROOT"] })}.${signature}`, badSignature],
    ["a token with another signature", `${head}.${claims}.${flipped.toString("base64url")}`, badSignature],
    ["a token with no signature", `${encode({ ...header, alg: "none" })}.${claims}.`, badAlgorithm],
    ["a token signed with the public key", `${confused}.${hmac}`, badAlgorithm],
  ];
}

let checks = 0;
function run(verifier, issuer, token, seconds = 0) {
  const [program, ...arguments_] = VERIFIERS[verifier];
  const ended = spawnSync(program, [...arguments_, issuer, token, String(seconds)], { encoding: "utf8" });
  checks += 1;
  return { status: ended.status, said: ended.stdout.trim(), errors: ended.stderr };
}

for (const verifier of Object.keys(VERIFIERS)) {
  for (const [server, other] of [[demo, real], [real, demo]]) {
    const { token, userId, sessionId, tenantId, expiresIn } = server.session;
    const header = decode(token.split(".")[0]);
    assert.deepEqual([header.alg, header.typ], ["ES256", "JWT"]);
    const verified = run(verifier, server.issuer, token);
    assert.equal(verified.status, 0, JSON.stringify(verified));
    const claims = JSON.parse(verified.said);
    assert.deepEqual(
      [claims.iss, claims.aud, claims.sub, claims.sid, claims.tenantId],
      [server.issuer, server.issuer, userId, sessionId, tenantId],
    );
    assert.equal(claims.exp - claims.iat, expiresIn);
    console.log(`${verifier} accepts the token of ${server.issuer}`);

    const refused = await forgeries(token, server.issuer, other.session.token);
    for (const [what, forgery, reason] of refused) {
      const { status, said, errors } = run(verifier, server.issuer, forgery);
      assert.equal(status, 3, `${verifier}: ${what}: ${said} ${errors}`);
      assert.match(said, reason, `${verifier}: ${what}`);
      console.log(`${verifier} refuses ${what}: ${said}`);
    }
    const late = run(verifier, server.issuer, token, expiresIn + 1);
    assert.equal(late.status, 3, JSON.stringify(late));
    assert.match(late.said, /^(ERR_JWT_EXPIRED|ExpiredSignatureError)/);
    console.log(`${verifier} refuses it ${expiresIn + 1} seconds later: ${late.said}`);
  }
}

// Across rotations: what is published and not used yet, what took over, what was replaced, and what was retired.
const operator = async (method, path, body) => {
  const headers = { authorization: `Bearer ${process.env.REAL_OPERATOR_TOKEN}`, "content-type": "application/json" };
  const url = `${process.env.REAL_OPERATOR}/operator/v1/tenants/acme/signing-keys${path}`;
  const answer = await fetch(url, { method, headers: { ...headers, ...ONCE }, body: body && JSON.stringify(body) });
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  return JSON.parse(text).data;
};
const kid = (token) => decode(token.split(".")[0]).kid;
const again = () => login(process.env.REAL, "admin/organization", "acme", JSON.parse(process.env.REAL_LOGIN));
const first = real.session.token;
const next = await operator("POST", "", {});
const second = (await again()).token;
assert.deepEqual([next.state, kid(second)], ["next", kid(first)], "the next key signs nothing yet");
assert.equal((await operator("POST", "", { now: true })).kid, next.kid);
const third = (await again()).token;
assert.equal(kid(third), next.kid);
for (const verifier of Object.keys(VERIFIERS)) {
  for (const [what, token] of [["before", first], ["published", second], ["signing", third]]) {
    const verified = run(verifier, real.issuer, token);
    assert.equal(verified.status, 0, `${verifier}, ${what}: ${JSON.stringify(verified)}`);
  }
  console.log(`${verifier} accepts the tokens of both keys`);
}
await operator("DELETE", `/${kid(first)}`);
for (const verifier of Object.keys(VERIFIERS)) {
  const refused = run(verifier, real.issuer, first);
  assert.equal(refused.status, 3, JSON.stringify(refused));
  assert.match(refused.said, /^(ERR_JWKS_NO_MATCHING_KEY|PyJWKClientError)/);
  assert.equal(run(verifier, real.issuer, third).status, 0);
  console.log(`${verifier} refuses the tokens of the one that was retired: ${refused.said}`);
}
console.log(`${checks} verifications went as they must`);
