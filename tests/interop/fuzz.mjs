// Has schemathesis call the demo by its own OpenAPI document for two minutes at most: no 5xx, no undocumented status,
// nothing that is not as the document says. Always the same calls: the seed is fixed.
// SCHEMATHESIS names the program; the arguments are added to its own.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { DOCUMENTED, login } from "./login.mjs";

const SECONDS = 75;
const CHECKS = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_headers_conformance",
  "response_schema_conformance",
  "unsupported_method",
  "allow_header_conformance",
];
const FAMILIES = {
  INDIVIDUAL: ["customer/individual", DOCUMENTED.username],
  ORGANIZATION: ["customer/organization", "business.login.123456@example.test"],
  STAFF: ["admin/organization", "staff.login.123456@example.test"],
};

const values = {};
for (const [name, [family, username]] of Object.entries(FAMILIES)) {
  for (const use of ["SHOWN", "ENDED"]) {
    const body = { ...DOCUMENTED, username, value: username };
    const { sessionId, token } = await login(process.env.DEMO, family, "tenant-demo-001", body);
    values[`${name}_${use}`] = sessionId;
    values[`${name}_${use}_TOKEN`] = token;
  }
}

// Schemathesis puts variables into headers and not into dictionaries, so they are put in here.
const folder = mkdtempSync(join(tmpdir(), "vestibule-fuzz-"));
const config = join(folder, "schemathesis.toml");
const template = readFileSync(join(import.meta.dirname, "schemathesis.toml"), "utf8");
writeFileSync(config, template.replace(/\$\{(\w+)\}/g, (_, name) => values[name]));

const { status, signal, error } = spawnSync(
  process.env.SCHEMATHESIS ?? "schemathesis",
  [
    ...["--config-file", config, "run", `${process.env.DEMO}/openapi.json`],
    ...["--checks", CHECKS.join(","), "--phases", "examples,coverage,fuzzing", "--continue-on-failure"],
    ...["--max-examples", "25", "--seed", "20260316", "--generation-database", "none"],
    ...["--max-time", String(SECONDS), "--workers", "1", "--no-color"],
    ...process.argv.slice(2),
  ],
  { cwd: folder, stdio: "inherit", timeout: (SECONDS + 60) * 1000 },
);
rmSync(folder, { recursive: true, force: true });
if (error) throw error;
console.log(signal ? `schemathesis was ended by ${signal}` : `schemathesis ended with ${status}`);
process.exitCode = status ?? 1;

// A run in which every call was refused would prove nothing: the server counts what it answered.
const metrics = await (await fetch(`${process.env.DEMO_OPERATOR}/metrics`)).text();
const answers = {};
for (const [, labels, count] of metrics.matchAll(/^vestibule_http_requests_total\{(.*)\} (\d+)$/gm)) {
  const { method, route, status } = Object.fromEntries(
    [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
  );
  (answers[`${method} ${route}`] ??= {})[status] = Number(count);
}
const { paths } = await (await fetch(`${process.env.DEMO}/openapi.json`)).json();
for (const [path, methods] of Object.entries(paths)) {
  for (const method of Object.keys(methods)) {
    const operation = `${method.toUpperCase()} ${path}`;
    console.log(operation, JSON.stringify(answers[operation] ?? {}));
    if (!answers[operation]?.[200]) {
      console.log(`${operation} was never answered with 200`);
      process.exitCode = 1;
    }
  }
}
