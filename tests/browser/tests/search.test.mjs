// What must be searched row by row: one bar says how far it came, all parts of the overview come to what
// a plain count says, and what is not found yet is not said to be missing.

import assert from "node:assert/strict";
import { test } from "node:test";

import { assertClean, browser, card, keep, open, panel, until } from "../support/browser.mjs";
import { get, post, serve } from "../support/program.mjs";
import { exchange } from "../support/records.mjs";

/** Several times what is looked at for one answer, also by a quick machine. */
const ROWS = 600_000;
/** Over so many seconds, in the last hour. */
const SECONDS = 3000;

/** Rows of which all is known; the last one, the oldest, is the only one of its path. */
function rows() {
  return Array.from({ length: ROWS }, (_, index) =>
    exchange(30 + (index * SECONDS) / ROWS, {
      method: index % 3 === 0 ? "POST" : "GET",
      target: index === ROWS - 1 ? "/only/once" : `/part/${["one", "two", "three", "four", "five"][index % 5]}`,
      // Each stretch of time has a host that is the most frequent there, and one is everywhere.
      host: index % 4 === 0 ? "steady.example" : `h${Math.floor((index * 40) / ROWS)}.example`,
      src_ip: `192.0.2.${index % 50}`,
      user_agent: `agent/${index % 2}`,
      status: index % 10 === 0 ? 503 : 200,
      ttfb_us: 1000 + (index % 1000),
    }),
  );
}

function count(all, value) {
  const counts = new Map();
  for (const row of all) {
    counts.set(value(row), (counts.get(value(row)) ?? 0) + 1);
  }
  return [...counts].sort(([, one], [, other]) => other - one);
}

/** Holds back whatever goes on with a search until it is let go. */
async function gate(page) {
  let release;
  const released = new Promise((done) => {
    release = done;
  });
  await page.route(/[?&]after=/, async (route) => {
    await released;
    // The page may have gone elsewhere meanwhile.
    await route.continue().catch(() => {});
  });
  return release;
}

test("a search goes on by itself, is said once, and comes to what a plain count says", async (context) => {
  const server = await serve(context);
  const all = rows();
  await post(server.url, "/api/exchanges", all);
  const found = all.filter((row) => row.user_agent === "agent/1");
  const page = await open(await browser(context), server.url);
  const release = await gate(page);
  await page.goto(`${server.url}/#/overview?range=1h&user_agent=agent%2F1`);

  // One bar, and no sum of a part that is taken for the whole.
  const bar = page.getByRole("group", { name: "Search" });
  await until("the bar", async () => /Searching row by row/.test(await bar.innerText()), 30);
  assert.equal(await bar.count(), 1);
  assert.equal(await page.locator(".covered").count(), 1);
  assert.equal(await page.getByRole("button", { name: "Go on" }).count(), 0);
  assert.ok((await page.locator(".so-far").count()) >= 6, "parts say that they are parts");
  const number = async () => Number((await card(page, "Requests")).replaceAll(",", ""));
  const part = await number();
  assert.ok(part > 0 && part < found.length, `${part} of ${found.length}`);
  // All of them are about the same rows.
  const first = async (title) => Number((await panel(page, title).locator("tbody td").first().innerText()).replaceAll(",", ""));
  assert.equal(await first("User agents"), part);
  const shares = (await panel(page, "Methods").innerText()).match(/^[\d,]+$/gm).map((text) => Number(text.replaceAll(",", "")));
  assert.equal(shares.reduce((sum, requests) => sum + requests, 0), part);
  await keep(page, "overview-search");

  // Stopped it stands still, and goes on when it is told to.
  await bar.getByRole("button", { name: "Stop" }).click();
  release();
  await until("stopped", async () => /Searched row by row/.test(await bar.innerText()));
  await page.waitForTimeout(1500);
  const stopped = await number();
  await page.waitForTimeout(1500);
  assert.equal(await number(), stopped);
  assert.ok(stopped < found.length, `${stopped}`);
  await bar.getByRole("button", { name: "Go on" }).click();
  await until("all is searched", async () => /Searched row by row, from/.test(await bar.innerText()), 60);
  assert.equal(await page.locator(".so-far").count(), 0);

  assert.equal(await number(), found.length);
  const lists = [
    ["Endpoints", (row) => `${row.method} ${row.target}`],
    ["Hosts", (row) => row.host],
    ["Clients", (row) => row.src_ip],
    ["User agents", (row) => row.user_agent],
  ];
  for (const [title, value] of lists) {
    const counts = new Map(count(found, value));
    const lines = panel(page, title).locator("tbody tr");
    const shown = await lines.evaluateAll((trs) =>
      trs.map((tr) => [tr.querySelector("th").textContent.trim(), tr.querySelectorAll("td")[0].textContent]),
    );
    assert.ok(shown.length > 0, title);
    for (const [name, requests] of shown) {
      assert.equal(Number(requests.replaceAll(",", "")), counts.get(name), `${title}: ${name}`);
    }
    const most = [...counts.values()].slice(0, shown.length);
    assert.deepEqual(shown.map(([, requests]) => Number(requests.replaceAll(",", ""))), most, title);
    // Percentiles are there.
    assert.doesNotMatch(await lines.first().innerText(), /–\s*$/, title);
  }
  const methods = panel(page, "Methods");
  for (const [, requests] of count(found, (row) => row.method)) {
    assert.ok((await methods.innerText()).includes(requests.toLocaleString("en-US")), await methods.innerText());
  }
  await keep(page, "overview-searched");

  // The same by the API, whoever asks for what.
  // The clock goes on while rows are made: the first and the last are not to the millisecond the newest and the oldest.
  const start = new Date(Date.parse(all.at(-1).ts) - 5000).toISOString();
  const query = `user_agent=agent/1&start_time=${start}&end_time=${new Date().toISOString()}`;
  for (const path of ["stats?", "top?by=host&", "slow?", "timeseries?step=60&"]) {
    let answer = await get(server.url, `/api/${path}${query}`);
    while (answer.covered.next !== null) {
      answer = await get(server.url, `/api/${path}${query}&after=${answer.covered.next}`);
    }
    const total = {
      "stats?": () => answer.total_requests,
      "top?by=host&": () => answer.rows.reduce((sum, row) => sum + row.requests, answer.others.requests),
      "slow?": () => (answer.exchanges.length > 0 ? found.length : 0),
      "timeseries?step=60&": () => answer.series.requests.reduce((sum, requests) => sum + requests, 0),
    }[path]();
    assert.equal(total, found.length, path);
  }

  // What a part of the range does not have is not said to be nowhere. The server is quick: its first answer is
  // held to what it says of the newest rows.
  const held = await gate(page);
  await page.route(/\/api\/exchanges\?(?!.*after=)/, async (route) => {
    const { next, covered } = await get(server.url, "/api/exchanges?limit=1000");
    await route.fulfill({ json: { exchanges: [], next, covered: { ...covered, complete: false, next } } });
  });
  await page.goto(`${server.url}/#/exchanges?range=1h&target=%2Fonly%2Fonce`);
  const table = panel(page, "Exchanges");
  await until("a part is searched", async () => /None found so far/.test(await table.innerText()), 30);
  assert.doesNotMatch(await table.innerText(), /No exchange/);
  assert.match(await table.innerText(), /Searching row by row/);
  await keep(page, "exchanges-search");
  held();
  await until("found", async () => (await table.locator("tbody tr").count()) === 1, 60);
  assert.match(await table.innerText(), /\/only\/once/);
  assert.doesNotMatch(await table.innerText(), /so far|Go on/);
  await page.goto(`${server.url}/#/exchanges?range=1h&target=%2Fnowhere`);
  await until("nowhere", async () => /No exchange/.test(await table.innerText()), 60);
  assertClean(page);
});
