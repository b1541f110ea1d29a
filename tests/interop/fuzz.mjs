// Has schemathesis call the servers by their own OpenAPI documents, as whoever may: no 5xx but 503, no undocumented
// status, nothing that is not as the document says. Two minutes together, or five where the machine is slow. The seed is fixed.
// SCHEMATHESIS names the program; the arguments are added to its own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { BACKEND, directory, operators, sessions } from "./fuzz-world.mjs";

const { DEMO, DEMO_OPERATOR, REAL_OPERATOR, REAL_OPERATOR_TOKEN } = process.env;
const CHECKS = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_headers_conformance",
  "response_schema_conformance",
  "unsupported_method",
  "allow_header_conformance",
];
const DIRECTORY_TAGS = ["Registration", "Customers", "Users", "Credentials", "Events", "Tokens", "Sessions"];
const of = (option, values) => values.flatMap((value) => [option, value]);

/** Lets schemathesis loose on a document for some seconds. */
async function fuzz({ name, document, template, values, seconds, authorization, operations }) {
  console.log(`\n==== ${name}, ${seconds} s`);
  // Schemathesis puts variables into headers and not into dictionaries, so they are put in here.
  const folder = mkdtempSync(join(tmpdir(), "vestibule-fuzz-"));
  const config = join(folder, "schemathesis.toml");
  const text = readFileSync(join(import.meta.dirname, template), "utf8");
  const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value));
  writeFileSync(
    config,
    text.replace(/\$\{(\w+)\}/g, (_, name) => shown(values[name])),
  );
  const child = spawn(
    process.env.SCHEMATHESIS ?? "schemathesis",
    [
      ...["--config-file", config, "run", document],
      ...(authorization ? ["-H", `Authorization: ${authorization}`] : []),
      ...operations,
      ...["--checks", CHECKS.join(","), "--phases", "examples,coverage,fuzzing", "--continue-on-failure"],
      ...["--max-examples", "25", "--seed", "20260316", "--generation-database", "none"],
      ...["--max-time", String(seconds), "--workers", "1", "--no-color"],
      ...process.argv.slice(2),
    ],
    { cwd: folder, stdio: "inherit", timeout: (seconds + 30) * 1000 },
  );
  const [status, signal] = await once(child, "exit");
  rmSync(folder, { recursive: true, force: true });
  console.log(signal ? `schemathesis was ended by ${signal}` : `schemathesis ended with ${status}`);
  if (status !== 0) process.exitCode = 1;
}

const isDirectory = ({ tags }) => tags.some((tag) => DIRECTORY_TAGS.includes(tag));
const PUBLIC = { operator: DEMO_OPERATOR, document: `${DEMO}/openapi.json` };
const OPERATORS = { operator: REAL_OPERATOR, document: `${REAL_OPERATOR}/openapi-operator.json` };
const RUNS = [
  {
    ...PUBLIC,
    name: "sessions",
    takes: (operation) => !isDirectory(operation),
    prepare: async () => ({ template: "schemathesis.toml", values: await sessions() }),
    seconds: 50,
    operations: of("--exclude-tag", DIRECTORY_TAGS),
  },
  // First as staff: the backend's calls go the furthest.
  {
    ...PUBLIC,
    name: "the directory, by staff",
    takes: (operation) => isDirectory(operation) && operation.operationId !== "endMatchingSessions",
    prepare: async () => {
      const values = await directory("staff");
      return { template: "schemathesis-directory.toml", values, authorization: `Bearer ${values.STAFF_TOKEN}` };
    },
    seconds: 25,
    // Which would end the session that asks.
    operations: [...of("--include-tag", DIRECTORY_TAGS), "--exclude-operation-id", "endMatchingSessions"],
  },
  {
    ...PUBLIC,
    name: "the directory, by the backend",
    takes: isDirectory,
    prepare: async () => ({
      template: "schemathesis-directory.toml",
      values: await directory("backend"),
      authorization: BACKEND,
    }),
    seconds: 35,
    operations: of("--include-tag", DIRECTORY_TAGS),
  },
  {
    ...OPERATORS,
    name: "the operators' API",
    takes: () => true,
    prepare: async () => ({
      template: "schemathesis-operator.toml",
      values: await operators(),
      authorization: `Bearer ${REAL_OPERATOR_TOKEN}`,
    }),
    seconds: 25,
    operations: [],
  },
];

// What is asked here with nothing that it could be answered 200 for: the session that asks would end, the token is used
// up, the device or session is one of many, or the answer is waited for. tests/api/documents/examples.rs has each
// answered 200.
const REFUSED_HERE =
  /^(endSessions|refreshSession|changeDevice|forgetDevice|changeUserDevice|forgetUserDevice|listUserDevices|listUserSessionEvents|getUserSession|getUserSessionEvidence|endUserSession|getSessionOperation|getRevocations)/;

/** The operations of a document with how often the servers answered each with what, by their own count. */
async function answered({ operator, document }) {
  const metrics = await (await fetch(`${operator}/metrics`)).text();
  const answers = {};
  for (const [, labels, count] of metrics.matchAll(/^vestibule_http_requests_total\{(.*)\} (\d+)$/gm)) {
    const { method, route, status } = Object.fromEntries(
      [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
    );
    (answers[`${method} ${route}`] ??= {})[status] = Number(count);
  }
  const { paths } = await (await fetch(document)).json();
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId, tags }]) => {
      const operation = `${method.toUpperCase()} ${path}`;
      return { operation, operationId, tags, answers: answers[operation] ?? {} };
    }),
  );
}

// A run in which every call was refused would prove nothing.
const isMissing = ({ operationId, answers }) => !answers[200] && !REFUSED_HERE.test(operationId);

for (const run of RUNS) await fuzz({ ...run, ...(await run.prepare()) });
// A slow machine has not come to all of them in that time: what is missing has time of its own.
for (const run of RUNS) {
  const missing = (await answered(run)).filter(isMissing).filter(run.takes);
  if (missing.length === 0) continue;
  const operations = of("--include-operation-id", missing.map(({ operationId }) => operationId));
  await fuzz({ ...run, ...(await run.prepare()), name: `${run.name}: what is missing`, seconds: 40, operations });
}
for (const api of [PUBLIC, OPERATORS]) {
  for (const operation of await answered(api)) {
    console.log(operation.operation, JSON.stringify(operation.answers));
    if (isMissing(operation)) {
      console.log(`${operation.operation} was never answered with 200`);
      process.exitCode = 1;
    }
  }
}
