// The page of `tapline watch` over a log that ended long ago: it begins where the log has lines, unless
// its address says a range; and where a line names no client, none is shown.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { assertClean, browser, card, open, until } from "../support/browser.mjs";
import { folder, freePort, program, start } from "../support/program.mjs";

const LINES = 314;

test("the page of a log that ended days ago begins with its lines", async (context) => {
  const place = folder(context);
  const begin = Math.floor(Date.now() / 1000) - 3 * 86_400;
  const time = (second) => new Date((begin + second) * 1000).toISOString().replace(/\.\d+Z/, "Z");
  const lines = Array.from({ length: LINES }, (_, second) => `${time(second)} GET /path/${second} 200 72ms\n`);
  writeFileSync(join(place, "old.log"), lines.join(""));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const args = ["watch", "--listen", `127.0.0.1:${port}`, "--report", "-", "*.log"];
  await start(context, program(), args, "the dashboard is at", { cwd: place, env: { TZ: "UTC" } });
  const started = await browser(context);

  const page = await open(started, url);
  await page.waitForFunction(() => location.hash.includes("from="));
  const hash = new URLSearchParams((await page.evaluate(() => location.hash)).split("?")[1]);
  assert.equal(hash.get("from"), time(0));
  assert.equal(hash.get("to"), time(LINES));
  await until("all requests", async () => (await card(page, "Requests")) === String(LINES));

  await page.goto(`${url}/#/exchanges?${hash}`);
  await page.locator("main tbody tr").nth(9).waitFor();
  const clients = await page.locator("main tbody td.address").allInnerTexts();
  assert.ok(clients.length >= 10 && clients.every((client) => client.trim() === "–"), clients.join(" "));

  // A range that was chosen stays.
  const chosen = await open(started, url, "#/overview?range=1h");
  await chosen.waitForTimeout(3000);
  assert.equal(await chosen.evaluate(() => location.hash), "#/overview?range=1h");
  assertClean(page);
  assertClean(chosen);
});
