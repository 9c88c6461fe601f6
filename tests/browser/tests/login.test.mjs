// Where a token is asked for: a form, a cookie that no script sees, and out again.

import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { assertClean, browser, card, keep, open, seriousFaults, until } from "../support/browser.mjs";
import { folder, post, serve } from "../support/program.mjs";
import { exchange } from "../support/records.mjs";

const TOKEN = "a-token-of-the-tests-0123456789";

test("the token opens the page, a wrong one does not, and one can go out", async (context) => {
  const file = join(folder(context), "token");
  writeFileSync(file, `${TOKEN}\n`);
  chmodSync(file, 0o600);
  const server = await serve(context, { args: ["--token-file", file] });
  await post(server.url, "/api/exchanges", [exchange(1)], { Authorization: `Bearer ${TOKEN}` });
  const page = await open(await browser(context), server.url);
  const field = page.getByLabel("Token");
  await until("a form", async () => (await field.count()) === 1);
  assert.deepEqual(await seriousFaults(page), []);
  await keep(page, "login");

  await field.fill("not-the-token-0123456789");
  await page.keyboard.press("Enter");
  await until("refused", async () => /not the token/.test(await page.locator("#login-failure").innerText()));

  await field.fill(TOKEN);
  await page.getByRole("button", { name: "Log in" }).click();
  await until("in", async () => (await card(page, "Requests")) === "1");
  await until("live", async () => (await page.locator(".badge").innerText()) === "live");
  assert.equal(await page.evaluate(() => document.cookie), "");
  const stored = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
  assert.ok(!stored.includes(TOKEN), stored);
  const [cookie] = await page.context().cookies();
  assert.equal(cookie.httpOnly && cookie.sameSite, "Strict");
  assert.notEqual(cookie.value, TOKEN);

  await page.reload();
  await until("still in", async () => (await card(page, "Requests")) === "1");
  await page.getByRole("button", { name: "Log out" }).click();
  await until("out", async () => (await field.count()) === 1);
  await page.reload();
  await until("still out", async () => (await field.count()) === 1);
  assertClean(page, ["401"]);
});
