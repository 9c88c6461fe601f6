// Exchanges and sessions: pages without gaps and doubles, order, details, files.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { assertClean, browser, keep, open, panel, until } from "../support/browser.mjs";
import { post, program, serve, start } from "../support/program.mjs";
import { exchange } from "../support/records.mjs";

test("pages of exchanges have every row once, while more come", async (context) => {
  const server = await serve(context);
  const rows = Array.from({ length: 180 }, (_, index) => exchange(200 - index, { target: `/item/${index}` }));
  await post(server.url, "/api/exchanges", rows);
  const page = await open(await browser(context), server.url, "#/exchanges");
  const targets = async () => page.locator("table.rows tbody td.long").allInnerTexts();
  const seen = [];
  for (let number = 0; number < 4; number += 1) {
    await until(`page ${number}`, async () => {
      const [first] = await targets();
      return first !== undefined && !seen.includes(first) && first;
    });
    seen.push(...(await targets()));
    // What comes meanwhile is newer than all pages behind the first.
    await post(server.url, "/api/exchanges", [exchange(0, { target: `/new/${number}` })]);
    if (number < 3) {
      await page.getByRole("button", { name: "Next page" }).click();
    }
  }
  assert.deepEqual(seen, rows.map((row) => row.target).reverse());
  assert.ok(await page.getByRole("button", { name: "Next page" }).isDisabled());

  // The page is in the address, and back goes back.
  assert.match(page.url(), /after=/);
  await page.reload();
  await until("the same page", async () => (await targets())[0] === seen[150]);
  await page.goBack();
  await until("the page before", async () => (await targets())[0] === seen[100]);
  await page.getByRole("button", { name: "First page" }).click();
  await until("the first page, with what came", async () => (await targets())[0] === "/new/3");

  await page.getByRole("button", { name: "Time" }).click();
  await until("the oldest first", async () => (await targets())[0] === "/item/0");
  assert.match(page.url(), /order=oldest/);

  // What is shown, as files.
  await page.goto(`${server.url}/#/exchanges?target=/item/1`);
  await until("81 rows match", async () => (await targets()).length === 50);
  for (const [name, count] of [["CSV", 82], ["NDJSON", 81]]) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name, exact: true }).click()]);
    const lines = readFileSync(await download.path(), "utf8").trimEnd().split("\n");
    // 1, 10 to 19 and 100 to 179; CSV has a line of names.
    assert.equal(lines.length, count === 82 ? 92 : 91, name);
    assert.match(download.suggestedFilename(), name === "CSV" ? /\.csv$/ : /\.ndjson$/);
  }
  assertClean(page);
});

test("a row opens to its fields, its session and what is around it", async (context) => {
  const server = await serve(context);
  const session = "0123456789abcdef0123456789abcdef";
  const rows = Array.from({ length: 9 }, (_, index) =>
    exchange(60 - index, { target: `/step/${index}`, ...(index % 2 === 0 ? { session_id: session } : {}) }),
  );
  await post(server.url, "/api/exchanges", rows);
  const page = await open(await browser(context), server.url, "#/exchanges");
  const table = page.locator("table.rows");
  await until("rows", async () => (await table.locator("tbody tr").count()) === 9);

  // By keyboard alone: down four rows, open.
  await table.locator(".opener button").first().focus();
  for (let step = 0; step < 4; step += 1) {
    await page.keyboard.press("ArrowDown");
  }
  await page.keyboard.press("Enter");
  await until("around", async () => (await table.locator("table.around tr").count()) === 9);
  const detail = table.locator("tr.detail");
  assert.match(await detail.innerText(), /exchange_id\s+[0-9a-f]{32}/);
  assert.match(await detail.innerText(), /ttfb_us\s+2,?000 = 2 ms/);
  assert.equal(await detail.locator("tr.this td.long").innerText(), "/step/4");
  await keep(page, "exchange-open");
  await detail.getByRole("link", { name: "All exchanges of the session" }).click();
  await until("five of the session", async () => (await table.locator("td.opener").count()) === 5);
  assert.match(page.url(), new RegExp(`session_id=${session}`));
  assertClean(page);
});

test("sessions are shown, opened and filtered", async (context) => {
  const server = await serve(context);
  const made = await start(
    context,
    program(),
    [..."gen sessions -n 300 --seed 7 --start=-8m --rate 0 --batch 100 --api-url".split(" "), `${server.url}/api`],
    "",
    { env: {}, cwd: server.data },
  );
  assert.equal(await made.ended, 0, made.said());
  const page = await open(await browser(context), server.url, "#/sessions");
  const table = page.locator("table.rows");
  await until("a page", async () => (await table.locator("tbody tr").count()) === 50, 20);
  await keep(page, "sessions");
  await table.getByRole("button", { name: "UDP", exact: true }).first().click();
  await until("UDP alone", async () => {
    const protocols = await table.locator("tbody tr td:nth-child(3)").allInnerTexts();
    return protocols.length > 0 && protocols.every((protocol) => protocol === "UDP");
  });
  await page.getByRole("button", { name: "Details of" }).first().click();
  await until("the detail", async () => (await table.locator("tr.detail dt", { hasText: /^packets$/ }).count()) === 1);
  // What is no filter of exchanges is said to be none.
  await page.getByRole("link", { name: "Exchanges" }).first().click();
  await until("said so", async () => /not used in this view/.test(await page.locator(".chip").innerText()));
  await until("and why it is empty", async () => /No exchange in this time range/.test(await panel(page, "Exchanges").innerText()));
  await keep(page, "exchanges-empty");
  assertClean(page);
});

test("a refusal of the API is shown as the API says it", async (context) => {
  const server = await serve(context);
  const page = await open(await browser(context), server.url, "#/exchanges?status=nonsense");
  await until("the sentence", async () => /422 .*status/.test(await page.locator(".failure").first().innerText()));
  await keep(page, "exchanges-refused");
  await page.getByRole("button", { name: "Remove the filter status" }).click();
  await until("gone", async () => (await page.locator(".failure").count()) === 0);
  assertClean(page, ["422"]);
});
