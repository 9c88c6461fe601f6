// Alerts: rules as they stand, one that fires, and what has fired.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { assertClean, browser, keep, open, panel, seriousFaults, until } from "../support/browser.mjs";
import { folder, post, serve } from "../support/program.mjs";
import { exchange } from "../support/records.mjs";

test("rules are shown, and one that fires is seen from every view", async (context) => {
  const directory = folder(context);
  const config = join(directory, "tapline.yaml");
  writeFileSync(
    config,
    "alerts:\n  rules:\n    - errors error_rate above 5% over 10s\n    - slow p99 above 500ms over 5m for 1h\n    - busy requests_per_second above 1000 over 10s\n",
  );
  const server = await serve(context, { args: ["--config", config] });
  const page = await open(await browser(context), server.url, "#/alerts");
  const rules = panel(page, "Rules");
  await until("three rules", async () => (await rules.locator("tbody tr").count()) === 3);
  assert.match(await rules.innerText(), /errors\s+error rate is above 5 % over 10 s/);
  assert.match(await rules.innerText(), /slow\s+p99 is above 500 ms over 5 min for 1 h/);
  assert.match(await panel(page, "What has fired").innerText(), /Nothing has fired/);

  // Ten seconds of errors, slow ones.
  const rows = Array.from({ length: 40 }, (_, index) => exchange(index / 4, { status: 500, ttfb_us: 900_000 }));
  await post(server.url, "/api/exchanges", rows);
  const row = (name) => rules.locator("tbody tr", { hasText: name });
  await until("errors fire", async () => /^firing/.test((await row("errors").innerText()).trim()), 30);
  await until("slow is pending", async () => /^pending/.test((await row("slow").innerText()).trim()), 30);
  assert.match(await row("slow").innerText(), /9\d\d ms/);
  // What is worst stands first.
  assert.match(await rules.locator("tbody tr").first().innerText(), /errors/);
  await until("in the history", async () => /errors[\s\S]+goes on/.test(await panel(page, "What has fired").innerText()));
  assert.deepEqual(await seriousFaults(page), []);
  await keep(page, "alerts-firing");

  await page.getByRole("link", { name: "Overview" }).click();
  await until("a count beside the view", async () => (await page.locator(".count-firing").innerText()) === "1");
  assertClean(page);
});
