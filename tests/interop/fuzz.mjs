// Has schemathesis call the servers by their own OpenAPI documents, as whoever may: no 5xx but 503, no undocumented
// status, nothing that is not as the document says. Two minutes together. The seed is fixed.
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

await fuzz({
  name: "sessions",
  document: `${DEMO}/openapi.json`,
  template: "schemathesis.toml",
  values: await sessions(),
  seconds: 50,
  operations: of("--exclude-tag", DIRECTORY_TAGS),
});
// First as staff: the backend's calls go the furthest.
const staff = await directory("staff");
await fuzz({
  name: "the directory, by staff",
  document: `${DEMO}/openapi.json`,
  template: "schemathesis-directory.toml",
  values: staff,
  seconds: 25,
  authorization: `Bearer ${staff.STAFF_TOKEN}`,
  // Which would end the session that asks.
  operations: [...of("--include-tag", DIRECTORY_TAGS), "--exclude-operation-id", "endMatchingSessions"],
});
await fuzz({
  name: "the directory, by the backend",
  document: `${DEMO}/openapi.json`,
  template: "schemathesis-directory.toml",
  values: await directory("backend"),
  seconds: 35,
  authorization: BACKEND,
  operations: of("--include-tag", DIRECTORY_TAGS),
});
await fuzz({
  name: "the operators' API",
  document: `${REAL_OPERATOR}/openapi-operator.json`,
  template: "schemathesis-operator.toml",
  values: await operators(),
  seconds: 25,
  authorization: `Bearer ${REAL_OPERATOR_TOKEN}`,
  operations: [],
});

// What is asked here with nothing that it could be answered 200 for: the session that asks would end, the token is used
// up, the device or session is one of many, or the answer is waited for. tests/api/documents/examples.rs has each
// answered 200.
const REFUSED_HERE =
  /^(endSessions|refreshSession|changeDevice|forgetDevice|changeUserDevice|forgetUserDevice|listUserDevices|listUserSessionEvents|getUserSession|getUserSessionEvidence|endUserSession|getSessionOperation|getRevocations)/;

// A run in which every call was refused would prove nothing: the servers count what they answered.
async function answered(operator, document) {
  const metrics = await (await fetch(`${operator}/metrics`)).text();
  const answers = {};
  for (const [, labels, count] of metrics.matchAll(/^vestibule_http_requests_total\{(.*)\} (\d+)$/gm)) {
    const { method, route, status } = Object.fromEntries(
      [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
    );
    (answers[`${method} ${route}`] ??= {})[status] = Number(count);
  }
  const { paths } = await (await fetch(document)).json();
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, { operationId }] of Object.entries(methods)) {
      const operation = `${method.toUpperCase()} ${path}`;
      console.log(operation, JSON.stringify(answers[operation] ?? {}));
      if (!answers[operation]?.[200] && !REFUSED_HERE.test(operationId)) {
        console.log(`${operation} was never answered with 200`);
        process.exitCode = 1;
      }
    }
  }
}
await answered(DEMO_OPERATOR, `${DEMO}/openapi.json`);
await answered(REAL_OPERATOR, `${REAL_OPERATOR}/openapi-operator.json`);
