// Opens the demo's documentation pages in Chromium as a person would: the operations are there, nothing comes from
// another host, nothing is blocked or goes wrong, and "Try it out" logs in; the operator's page shows both documents.
// Leaves pictures in the folder it is given.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium } from "playwright-core";

const pictures = process.argv[2];
const base = process.env.DEMO;
const operatorBase = process.env.DEMO_OPERATOR;
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
/** A page that notes whatever goes wrong on it, or comes from elsewhere than `base`. */
async function open(base) {
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
  return { page, problems };
}

/** That the page shows every operation of a document, and no other: how many. */
async function showsAll(page, document) {
  const { paths } = await (await fetch(document)).json();
  const ids = Object.values(paths).flatMap((methods) => Object.values(methods).map((it) => it.operationId));
  for (const id of ids) await page.locator(`.opblock[id$="-${id}"]`).waitFor();
  assert.equal(await page.locator(".opblock").count(), ids.length, `${document}: every operation is shown`);
  return ids.length;
}

try {
  const { page, problems } = await open(base);
  const expected = await showsAll(page, `${base}/openapi.json`);
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

  // The operator's page: one document first, the other by the selector.
  const operator = await open(operatorBase);
  const selector = operator.page.locator("select#select");
  await selector.waitFor();
  const documents = await selector.locator("option").evaluateAll((all) => all.map((option) => option.value));
  assert.deepEqual([...documents].sort(), ["/openapi-operator.json", "/openapi.json"]);
  for (const document of documents) {
    await selector.selectOption(document);
    const shown = await showsAll(operator.page, operatorBase + document);
    const picture = `docs-operator-${document.replace(/\W+/g, "-")}.png`;
    await operator.page.screenshot({ path: join(pictures, picture), fullPage: true });
    console.log(`the operator's page shows ${shown} operations of ${document}`);
  }
  assert.deepEqual(operator.problems, []);
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}
