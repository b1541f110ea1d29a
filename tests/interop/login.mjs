// The documented login of the FinHub v2.1 sessions API.
export const NIL = "00000000-0000-0000-0000-000000000000";

export const DOCUMENTED = {
  username: "customer.login.123456@example.test",
  password: "SecurePass123!",
  tenantKey: "a1B2c3D4e5F6g7H8i9J0kLmNopQr",
  tenantSecret: "s3Cr3tKeyXyZpQwErTyUiOpAsDfGh",
  credentialType: "PASSWORD",
  value: "customer.login.123456@example.test",
  tenantId: "11111111-2222-4333-8444-555555555555",
};

/** Logs in; the answer's `data`. */
export async function login(base, family, tenant, body) {
  const answer = await fetch(`${base}/api/v2.1/${family}/${NIL}/users/${NIL}/sessions`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-from": "client-app",
      "x-tenant-id": tenant,
      deviceid: "device-demo-001",
      platform: "mobile",
    },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`the login was answered ${answer.status}: ${text}`);
  return JSON.parse(text).data;
}
