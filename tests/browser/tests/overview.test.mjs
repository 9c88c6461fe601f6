// The overview: traffic shows up in cards, charts and lists, and filters narrow all of them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertClean, browser, card, keep, open, panel, seriousFaults, until } from "../support/browser.mjs";
import { get, post, serve } from "../support/program.mjs";
import { exchange, traffic } from "../support/records.mjs";

test("numbers of the overview are those of the traffic, and filters narrow them", async (context) => {
  const server = await serve(context);
  await post(server.url, "/api/exchanges", traffic());
  const page = await open(await browser(context), server.url);

  await until("all requests", async () => (await card(page, "Requests")) === "1,200");
  // 1000 + 75 of 1200 answered with 2xx; 75 + 50 with 400 and above.
  assert.equal(await card(page, "Success"), "89.6 %");
  assert.equal(await card(page, "Errors"), "10.4 %");
  assert.equal(await card(page, "Lost records"), "0");
  const stats = await get(server.url, "/api/stats");
  assert.equal(stats.total_requests, 1200);

  const endpoints = panel(page, "Endpoints");
  await until("endpoints", async () => (await endpoints.locator("tbody tr").count()) >= 3);
  const first = endpoints.locator("tbody tr").first();
  assert.match(await first.innerText(), /GET \/api\/user\/list\s+1,000\s+0\s/);
  assert.match(await endpoints.innerText(), /POST \/api\/order\/create\s+150\s+75 50 %/);
  // By errors the other way round.
  await endpoints.getByRole("button", { name: "Errors" }).click();
  await until("sorted by errors", async () => /order\/create/.test(await endpoints.locator("tbody tr").first().innerText()));

  await until("what the report found", async () => /GET \/broken/.test(await panel(page, "What the report found").innerText()));

  const charts = page.locator(".chart .plot");
  for (const title of ["Requests by class of status", "Time to the first byte", "Bytes of requests"]) {
    const words = await panel(page, title).locator(".plot").getAttribute("aria-label");
    assert.match(words, /last .+, most .+ at \d\d:\d\d:\d\d/, title);
  }
  assert.ok((await charts.count()) >= 3);
  const painted = await panel(page, "Requests by class").locator("canvas").evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const colours = new Set();
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] === 255) {
        colours.add(`${data[at]},${data[at + 1]},${data[at + 2]}`);
      }
    }
    return colours.size;
  });
  assert.ok(painted >= 3, `a chart of ${painted} colours`);

  // A value becomes a filter, in the address too.
  await panel(page, "Status").getByRole("button", { name: "5xx" }).click();
  await until("errors alone", async () => (await card(page, "Requests")) === "50");
  assert.match(page.url(), /status=5xx/);
  assert.equal(await card(page, "Errors"), "100 %");
  await until("one endpoint", async () => (await endpoints.locator("tbody tr").count()) === 1);
  await page.reload();
  await until("errors alone after a reload", async () => (await card(page, "Requests")) === "50");
  await page.goBack();
  await until("all again", async () => (await card(page, "Requests")) === "1,200");

  // A host, then the chip away again.
  await panel(page, "Hosts").getByRole("button", { name: "api.example.com" }).click();
  await until("one host", async () => (await card(page, "Requests")) === "150");
  await page.getByRole("button", { name: "Remove the filter host" }).click();
  await until("no host", async () => (await card(page, "Requests")) === "1,200");

  // A range from one time to another: the traffic is of the last ten minutes.
  await page.getByRole("button", { name: "1h" }).click();
  await until("an hour", async () => /range=1h/.test(page.url()));
  const hour = (at) => new Date(Date.now() + 9 * 3_600_000 - at * 1000).toISOString().slice(0, 19);
  await page.getByRole("button", { name: "From–to" }).click();
  await page.getByLabel("From", { exact: true }).fill(hour(7200));
  await page.getByLabel("To", { exact: true }).fill(hour(3600));
  await page.getByRole("button", { name: "Show", exact: true }).click();
  await until("nothing then", async () => (await card(page, "Requests")) === "0");
  assert.match(await endpoints.innerText(), /Choose a longer range/);
  await keep(page, "overview-empty");
  assertClean(page);
});

test("what comes is shown as it comes, and paused it stands still", async (context) => {
  const server = await serve(context);
  const page = await open(await browser(context), server.url);
  await until("live", async () => (await page.locator(".badge").innerText()) === "live");
  assert.match(await panel(page, "Recent requests").innerText(), /Nothing has come yet/);

  await post(server.url, "/api/exchanges", [exchange(0, { target: "/first" })]);
  await until("the first", async () => /\/first/.test(await panel(page, "Recent requests").innerText()));
  await until("in the cards", async () => (await card(page, "Requests")) === "1");

  await page.keyboard.press("p");
  await until("paused", async () => /^paused at \d\d:\d\d:\d\d$/.test(await page.locator(".badge").innerText()));
  await post(server.url, "/api/exchanges", [exchange(0, { target: "/second" })]);
  await page.waitForTimeout(6000);
  assert.doesNotMatch(await panel(page, "Recent requests").innerText(), /\/second/);
  assert.equal(await card(page, "Requests"), "1");
  await page.getByRole("button", { name: "Resume" }).click();
  await until("the second", async () => /\/second/.test(await panel(page, "Recent requests").innerText()));
  await until("both", async () => (await card(page, "Requests")) === "2");
  assertClean(page);
});

test("charts go on by the second, and paused they stand still", async (context) => {
  const server = await serve(context);
  await post(server.url, "/api/exchanges", traffic());
  const page = await open(await browser(context), server.url);
  let asked = 0;
  page.on("request", (request) => {
    asked += new URL(request.url()).pathname === "/api/timeseries" ? 1 : 0;
  });
  const CHARTS = ["Requests by class of status", "Time to the first byte", "Bytes of requests"];
  const words = (title) => panel(page, title).locator(".plot").getAttribute("aria-label");
  for (const title of CHARTS) {
    await until(title, async () => /last /.test(await words(title)));
  }
  let sent = 0;
  let flows = true;
  const flowing = (async () => {
    while (flows) {
      sent += 1;
      // Each second another number, time and length.
      const rows = Array.from({ length: 1 + (sent % 7) }, () => exchange(0, { ttfb_us: 1000 * sent, response_bytes: 5000 * sent }));
      await post(server.url, "/api/exchanges", rows);
      await new Promise((done) => setTimeout(done, 150));
    }
  })();
  await page.waitForTimeout(3000);
  asked = 0;
  const changes = Object.fromEntries(CHARTS.map((title) => [title, []]));
  const seen = {};
  const begun = Date.now();
  while (Date.now() < begun + 12_000) {
    for (const title of CHARTS) {
      const now = await words(title);
      if (seen[title] !== undefined && seen[title] !== now) {
        changes[title].push(Date.now());
      }
      seen[title] = now;
    }
    await page.waitForTimeout(100);
  }
  for (const title of CHARTS) {
    const times = [begun, ...changes[title], Date.now()];
    const longest = Math.max(...times.slice(1).map((time, at) => time - times[at]));
    assert.ok(longest < 2200, `${title} stood still for ${longest} ms`);
  }
  // No question a second: those are of every fourth.
  assert.ok(asked <= 4, `${asked} questions in 12 s`);

  await page.keyboard.press("p");
  await until("paused", async () => /^paused/.test(await page.locator(".badge").innerText()));
  // What was on its way is there.
  await page.waitForTimeout(500);
  const still = await Promise.all(CHARTS.map(words));
  await page.waitForTimeout(4500);
  assert.deepEqual(await Promise.all(CHARTS.map(words)), still);
  await page.keyboard.press("p");
  await until("on again", async () => (await words(CHARTS[0])) !== still[0], 5);
  flows = false;
  await flowing;
  assertClean(page);
});

test("an empty store says how to get something into it, and a young one since when it counts", async (context) => {
  const server = await serve(context);
  const page = await open(await browser(context), server.url);
  const empty = page.locator(".nothing-stored");
  await until("nothing is stored", async () => /Nothing is stored yet/.test(await empty.innerText()));
  const hints = await empty.innerText();
  assert.ok(hints.includes(`TAPLINE_SINKS_API_ENABLED=true TAPLINE_SINKS_API_EXCHANGES=true TAPLINE_SINKS_API_URL=${server.url}/api tapline run --listen off`), hints);
  assert.match(hints, /^tapline watch --demo$/m);
  await keep(page, "overview-nothing-stored");
  assert.deepEqual(await seriousFaults(page), []);
  // 100 within the last ten seconds: that is ten a second, and not 100 in 15 minutes.
  await post(server.url, "/api/exchanges", Array.from({ length: 100 }, (_, index) => exchange(10 - index / 20)));
  await until("it is gone", async () => (await empty.count()) === 0);
  await until("since", async () => /Requests a second since .*\d\d:\d\d:\d\d/.test(await page.locator(".card", { hasText: "Requests a second" }).innerText()));
  const rate = Number.parseFloat(await card(page, "Requests a second"));
  assert.ok(rate > 3 && rate <= 11, String(rate));
  assertClean(page);
});

test("an agent that is gone is said to be, and one that is back is live again", async (context) => {
  const server = await serve(context);
  await post(server.url, "/api/exchanges", [exchange(1)]);
  const page = await open(await browser(context), server.url);
  await until("live", async () => (await page.locator(".badge").innerText()) === "live");
  await until("one", async () => (await card(page, "Requests")) === "1");
  await server.stop();
  await until("stale", async () => /^stale since \d\d:\d\d:\d\d$/.test(await page.locator(".badge").innerText()));
  // What was known stays, dimmed, and says of when it is.
  assert.equal(await card(page, "Requests"), "1");
  assert.match(await page.locator(".stale-note").innerText(), /lost since \d\d:\d\d:\d\d: what is shown is of then/);
  const dimmed = () => page.locator(".card .figure").first().evaluate((figure) => Number(getComputedStyle(figure).opacity));
  assert.ok((await dimmed()) < 1);
  await keep(page, "overview-stale");
  await serve(context, { port: server.port, data: server.data });
  await post(server.url, "/api/exchanges", [exchange(0, { target: "/after" })]);
  await until("live again", async () => (await page.locator(".badge").innerText()) === "live", 30);
  assert.equal(await page.locator(".stale-note").count(), 0);
  assert.equal(await dimmed(), 1);
  await until("what came after", async () => /\/after/.test(await panel(page, "Recent requests").innerText()));
  await until("both", async () => (await card(page, "Requests")) === "2");
  assertClean(page, ["ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET"]);
});
