// Strings from the wire are text, whatever is in them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertClean, browser, keep, open, overflow, until } from "../support/browser.mjs";
import { post, serve } from "../support/program.mjs";
import { HOSTILE, exchange } from "../support/records.mjs";

test("markup, quotes, directions and 8 KB from the wire stay text in every view", async (context) => {
  const server = await serve(context);
  const rows = Object.values(HOSTILE).map((text, index) =>
    exchange(30 - index, {
      target: `/${text}`,
      host: text.slice(0, 200),
      user_agent: text,
      referer: text,
      content_type: text.slice(0, 200),
      method: index % 2 === 0 ? "GET" : "<B>",
      headers: { "X-Request-Id": text.slice(0, 500) },
    }),
  );
  await post(server.url, "/api/exchanges", rows);
  const started = await browser(context);
  const page = await open(started, server.url, "#/exchanges");
  const table = page.locator("table.rows");
  await until("all rows", async () => (await table.locator("tbody tr").count()) === rows.length);

  const shown = await table.innerText();
  for (const text of [HOSTILE.script, HOSTILE.image, HOSTILE.quotes, HOSTILE.template]) {
    assert.ok(shown.includes(`/${text}`), text);
  }
  assert.ok(shown.includes("/\\u202efdp.exe\\u2066\\u2067\u05d0\u05d1\u05d2"), "directions are written out");
  assert.ok(shown.includes("a\\u200bb\\u00adc\\ufeffd"), "what is hidden is written out");
  assert.ok((await overflow(page)) <= 0);

  // Every row opens to all of it.
  for (const row of rows) {
    const at = rows.length - 1 - rows.indexOf(row);
    await table.locator(".opener button").nth(at).click();
    await until("the detail", async () => (await table.locator("tr.detail .fields").count()) === 1);
    const target = table.locator("tr.detail dt", { hasText: /^target$/ }).locator("xpath=following-sibling::dd");
    if (row.target.includes("wwww")) {
      assert.equal((await target.innerText()).length, row.target.length);
      await until("around", async () => (await table.locator("table.around tr").count()) === rows.length);
      await keep(page, "hostile-open");
    }
    assert.ok((await overflow(page)) <= 0, row.target.slice(0, 40));
    await table.locator(".opener button").nth(at).click();
  }
  await keep(page, "hostile");

  // A hostile value as a filter, through the address and back.
  await table.locator("td.long").getByRole("button", { name: `/${HOSTILE.script}` }).click();
  await until("one row", async () => (await table.locator("tbody tr").count()) === 1);
  await page.reload();
  await until("one row after a reload", async () => (await table.locator("tbody tr").count()) === 1);
  assert.ok((await page.locator(".chip").innerText()).includes(HOSTILE.script));

  for (const view of ["overview", "sessions", "tail", "cpus", "health", "alerts"]) {
    await page.goto(`${server.url}/#/${view}?target=${encodeURIComponent(HOSTILE.image)}&host=${encodeURIComponent(HOSTILE.script)}`);
    await page.waitForTimeout(700);
    assert.ok((await overflow(page)) <= 0, view);
  }
  await page.goto(`${server.url}/#/overview`);
  await until("recent", async () => (await page.locator("section", { hasText: "Recent requests" }).locator("tbody tr").count()) >= 8);
  assert.ok((await overflow(page)) <= 0, "overview");
  await keep(page, "hostile-overview");

  const injected = await page.evaluate(() => ({
    ran: "pwned" in globalThis,
    elements: document.querySelectorAll("#page img, #page script, #page iframe, #page b b, #page textarea").length,
    links: [...document.querySelectorAll("a")].filter((link) => link.protocol === "javascript:").length,
  }));
  assert.deepEqual(injected, { ran: false, elements: 0, links: 0 });
  assertClean(page);
});
