// Opens the demo's documentation page in Chromium as a person would: the operations are there, nothing comes from
// another host, nothing is blocked or goes wrong, and "Try it out" logs in. Leaves pictures in the folder it is given.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium } from "playwright-core";

const pictures = process.argv[2];
const base = process.env.DEMO;
const profile = mkdtempSync(join(tmpdir(), "vestibule-browser-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: "/usr/bin/chromium",
  headless: true,
  args: [
    ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
    ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
  ],
  viewport: { width: 1280, height: 900 },
});
try {
  const page = await browser.newPage();
  const problems = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`uncaught: ${error}`));
  page.on("requestfailed", (request) => problems.push(`failed: ${request.url()} ${request.failure()?.errorText}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(`${base}/`) && !request.url().startsWith("data:")) {
      problems.push(`another host: ${request.url()}`);
    }
  });
  page.on("response", (response) => {
    if (response.status() >= 400) problems.push(`${response.status()}: ${response.url()}`);
  });
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      console.error(`blocked by the policy: ${event.violatedDirective} ${event.blockedURI}`);
    });
  });

  await page.goto(`${base}/docs`, { waitUntil: "networkidle" });
  const operations = page.locator(".opblock");
  await operations.first().waitFor();
  const { paths } = await (await fetch(`${base}/openapi.json`)).json();
  const expected = Object.values(paths).flatMap((methods) => Object.keys(methods)).length;
  assert.equal(await operations.count(), expected, "every operation is shown");
  await page.screenshot({ path: join(pictures, "docs.png"), fullPage: true });

  // The documented login, with the document's own example.
  const login = page.locator("#operations-Individual_customers-startSessionIndividual");
  await login.locator(".opblock-summary").click();
  await login.locator(".execute").click();
  const answer = login.locator(".live-responses-table .response").first();
  await answer.waitFor();
  await page.screenshot({ path: join(pictures, "docs-login.png"), fullPage: true });
  const text = await answer.innerText();
  assert.match(text, /^200\b/, text);
  assert.match(text, /Session created successfully/);
  assert.deepEqual(problems, []);
  console.log(`${expected} operations are shown; "Try it out" logs in`);
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}
