// The live tail: what comes is there, filtered by the server, and stands still when paused.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertClean, browser, open, until } from "../support/browser.mjs";
import { post, serve } from "../support/program.mjs";
import { exchange } from "../support/records.mjs";

test("the tail shows what comes, filters it, and pauses", async (context) => {
  const server = await serve(context);
  const page = await open(await browser(context), server.url, "#/tail");
  const targets = () => page.locator("table.rows td.long").allInnerTexts();
  const send = (...names) => post(server.url, "/api/exchanges", names.map((name) => exchange(0, { target: name, status: name.startsWith("/bad") ? 500 : 200 })));
  await until("running", async () => (await page.locator(".tail-state").innerText()) === "running");

  await send("/one", "/bad/two");
  await until("both, the newest first", async () => (await targets()).join(" ") === "/bad/two /one");

  await page.getByRole("button", { name: "Pause" }).last().click();
  await until("paused", async () => (await page.locator(".tail-state").innerText()) === "paused");
  await send("/while/paused");
  await page.waitForTimeout(1500);
  assert.deepEqual(await targets(), ["/bad/two", "/one"]);

  await page.getByRole("button", { name: "Resume" }).last().click();
  await until("running again", async () => (await page.locator(".tail-state").innerText()) === "running");
  await send("/three");
  await until("what came after", async () => (await targets())[0] === "/three");

  // A status as a filter: only what matches comes from now on.
  await page.locator("table.rows").getByRole("button", { name: "500", exact: true }).click();
  assert.match(page.url(), /status=500/);
  await until("begun anew", async () => (await targets()).length === 0);
  await page.waitForTimeout(500);
  await send("/four", "/bad/five", "/six");
  await until("the one that matches", async () => (await targets()).join(" ") === "/bad/five");
  await page.waitForTimeout(800);
  assert.deepEqual(await targets(), ["/bad/five"]);

  // More than are kept: the page holds no more, and says how many were left out on the way.
  await page.getByRole("button", { name: "Remove the filter status" }).click();
  await page.waitForTimeout(500);
  await post(server.url, "/api/exchanges", Array.from({ length: 2000 }, (_, index) => exchange(0, { target: `/many/${index}` })));
  // What is not shown is said.
  const note = page.locator("section.panel .note");
  const said = async (words) => Number((await note.innerText()).match(words)?.[1].replace(/,/g, "") ?? 0);
  await until("all are accounted for", async () => (await said(/([\d,]+) rows/)) + (await said(/([\d,]+) skipped/)) === 2000);
  const shown = (await targets()).length;
  assert.ok(shown > 20 && shown <= 300, String(shown));
  assert.equal(await said(/([\d,]+) rows/), shown);
  assertClean(page);
});

test("a row that is open stays as it is while others come", async (context) => {
  const server = await serve(context);
  const page = await open(await browser(context), server.url, "#/tail");
  let asked = 0;
  page.on("request", (request) => {
    asked += request.url().includes("/around") ? 1 : 0;
  });
  await until("running", async () => (await page.locator(".tail-state").innerText()) === "running");
  await post(server.url, "/api/exchanges", [exchange(0, { target: "/open/me" })]);
  const opener = page.getByRole("button", { name: "Details of GET /open/me" });
  await opener.click();
  await until("what happened around it", async () => (await page.locator("tr.detail table.around tr").count()) > 0);
  const row = await page.locator("tr.open").elementHandle();
  for (let round = 0; round < 5; round += 1) {
    await post(server.url, "/api/exchanges", [exchange(0, { target: `/others/${round}` })]);
    await until("another", async () => (await page.locator("table.rows td.long").first().innerText()) === `/others/${round}`);
  }
  // The same row, not one like it: the focus is still in it, and its details were asked for once.
  assert.equal(await row.evaluate((element) => element.isConnected), true);
  assert.equal(await opener.evaluate((element) => element === document.activeElement), true);
  assert.equal(asked, 1);
  assertClean(page);
});

test("a filter that is none is told, and the tail goes on with another", async (context) => {
  const server = await serve(context);
  const page = await open(await browser(context), server.url, "#/tail?status=nonsense");
  await until("the sentence", async () => /status/.test(await page.locator(".failure").innerText()));
  await page.getByRole("button", { name: "Remove the filter status" }).click();
  await until("running", async () => (await page.locator(".failure").count()) === 0);
  await page.waitForTimeout(300);
  await post(server.url, "/api/exchanges", [exchange(0, { target: "/after" })]);
  await until("a row", async () => (await page.locator("table.rows td.long").allInnerTexts()).includes("/after"));
  assertClean(page);
});
