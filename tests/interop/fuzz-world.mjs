// What the fuzzing may break: customers, users, tenants and operators made for it, by the API itself.
import { DOCUMENTED, login } from "./login.mjs";

export const BACKEND = `Basic ${Buffer.from("b4Ck3nDk3YaBcDeFgHiJkLmNoPqR:b4Ck3nDs3Cr3tXyZpQwErTyUiOpAsDfGh").toString("base64")}`;
const FAMILIES = {
  INDIVIDUAL: ["customer/individual", DOCUMENTED.username],
  ORGANIZATION: ["customer/organization", "business.login.123456@example.test"],
  STAFF: ["admin/organization", "staff.login.123456@example.test"],
};

const logIn = async (family, username) =>
  login(process.env.DEMO, family, "tenant-demo-001", { ...DOCUMENTED, username, value: username });

/** Calls until it is done; the answer's `data`. */
async function call(base, authorization, method, path, body) {
  const headers = { authorization, "content-type": "application/json" };
  const answer = await fetch(base + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${method} ${path} was answered ${answer.status}: ${text}`);
  return JSON.parse(text).data;
}

/** Sessions on each family: one to look at, one to end. */
export async function sessions() {
  const values = {};
  for (const [name, [family, username]] of Object.entries(FAMILIES)) {
    for (const use of ["SHOWN", "ENDED"]) {
      const { sessionId, token } = await logIn(family, username);
      values[`${name}_${use}`] = sessionId;
      values[`${name}_${use}_TOKEN`] = token;
    }
  }
  return values;
}

/** The demo's directory, with people to be thrown away; `round` keeps their e-mails apart. */
export async function directory(round) {
  const backend = (...rest) => call(process.env.DEMO, BACKEND, ...rest);
  const email = (name) => `${name}.${round}@fuzz.example.test`;
  const password = { password: DOCUMENTED.password, matchingPassword: DOCUMENTED.password };
  const individual = (name) =>
    backend("POST", "/api/v2.1/customer/individual/registration", {
      ...{ firstName: "Fay", lastName: "Fuzz", email: email(name), ...password },
    });
  const organization = (name) =>
    backend("POST", "/api/v2.1/customer/organization/registration", {
      ...{ email: email(name), ...password, organizationCustomer: { customerName: "Fuzz Ltd" } },
    });
  const forgotten = async (name) => {
    const username = email(name);
    return (await backend("POST", "/api/v2.1/password-resets", { username })).resetSecret;
  };
  const people = await Promise.all(["one", "two"].map(individual));
  const companies = await Promise.all(["three", "four"].map(organization));
  const doomed = await Promise.all(["five", "six"].map(individual));
  const doomedUsers = await Promise.all(
    ["seven", "eight"].map((name) =>
      backend("POST", `/api/v2.1/admin/customers/${companies[0].id}/users`, { email: email(name) }),
    ),
  );
  await Promise.all(["nine", "ten"].map(individual));
  await organization("eleven");
  const staff = { email: email("staff"), ...password, roles: ["ADMIN"] };
  await backend("POST", "/api/v2.1/admin/users", staff);
  return {
    CUSTOMERS: [...people, ...companies].map(({ id }) => id),
    ORGANIZATIONS: companies.map(({ id }) => id),
    USERS: [...people, ...companies].map(({ user }) => user.id),
    DOOMED_CUSTOMERS: doomed.map(({ id }) => id),
    DOOMED_USERS: doomedUsers.map(({ id }) => id),
    RESET_SECRETS: await Promise.all(["one", "two", "three", "four"].map(forgotten)),
    INDIVIDUAL_TOKEN: (await logIn("customer/individual", email("nine"))).token,
    ORGANIZATION_TOKEN: (await logIn("customer/organization", email("eleven"))).token,
    STAFF_TOKEN: (await logIn("admin/organization", email("staff"))).token,
  };
}

/** The installation's tenants and operators, to be thrown away. */
export async function operators() {
  const operator = (...rest) =>
    call(process.env.REAL_OPERATOR, `Bearer ${process.env.REAL_OPERATOR_TOKEN}`, ...rest);
  const tenant = async (slug) => operator("POST", "/operator/v1/tenants", { slug, name: slug });
  const [one, two, doomed, keys] = [
    await tenant("fuzz-one"),
    await tenant("fuzz-two"),
    await tenant("fuzz-doomed"),
    await tenant("fuzz-keys"),
  ].map(({ tenant, keys }) => ({ slug: tenant.slug, keys }));
  await operator("POST", `/operator/v1/tenants/${keys.slug}/signing-keys`, { now: true });
  const kids = await operator("GET", `/operator/v1/tenants/${keys.slug}/signing-keys`);
  const people = ["Oda", "Ole"].map((name) => operator("POST", "/operator/v1/operators", { name }));
  return {
    TENANTS: [one.slug, two.slug],
    DOOMED_TENANT: doomed.slug,
    KEYS_TENANT: keys.slug,
    DOOMED_KEYS: keys.keys.map(({ key }) => key.id),
    KIDS: kids.items.map(({ kid }) => kid),
    DOOMED_OPERATORS: (await Promise.all(people)).map(({ operator }) => operator.id),
  };
}
