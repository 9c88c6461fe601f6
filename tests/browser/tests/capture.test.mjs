// Real traffic on a wire: a server, a load and `tapline run` in a network namespace of their own, and the
// browser in it too.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { assertClean, browser, card, keep, open, panel, seriousFaults, until } from "../support/browser.mjs";
import { folder, program, start } from "../support/program.mjs";

const isRoot = process.getuid() === 0;

/** A network namespace with its loopback interface up; it goes with the test. */
function namespace(context) {
  const name = `tapline-web-${process.pid}`;
  const ip = (...words) => execFileSync("ip", words, { stdio: ["ignore", "pipe", "pipe"] });
  ip("netns", "add", name);
  context.after(() => ip("netns", "delete", name));
  ip("-n", name, "link", "set", "lo", "up");
  return name;
}

test("what passes on the wire is on the page", { skip: isRoot ? false : "not root: no network namespaces" }, async (context) => {
  const directory = folder(context);
  const name = namespace(context);
  const inside = (...words) => ["netns", "exec", name, ...words];
  const options = { env: { PATH: process.env.PATH }, cwd: directory };
  const url = "http://127.0.0.1:8000";

  await start(context, "ip", inside(program(), "gen", "http", "--serve", "127.0.0.1:8090"), "8090", options);
  // The port of the load alone: the page asks over the same interface.
  const command = ["run", "-i", "lo", "--port", "8090", "--listen", "127.0.0.1:8000", "--data-dir", "data", "--log-dir", "logs", "--interim", "1s"];
  const agent = await start(context, "ip", inside(program(), ...command), "stop with Ctrl-C", options);

  const wrapper = join(directory, "chromium");
  const chromium = process.env.CHROMIUM ?? "/usr/bin/chromium";
  writeFileSync(wrapper, `#!/bin/sh\nexec ip netns exec ${name} ${chromium} "$@"\n`);
  chmodSync(wrapper, 0o700);
  const page = await open(await browser(context, wrapper), url);
  await until("live", async () => (await page.locator(".badge").innerText()) === "live");
  await until("nothing is stored", async () => /each cleartext HTTP exchange that passes lo\. To see one:\s+curl example/.test(await page.locator(".nothing-stored").innerText()));

  const urls = join(directory, "urls");
  writeFileSync(urls, "GET http://127.0.0.1:8090/api/user/list\nGET http://127.0.0.1:8090/<script>window.pwned=1</script>\nPOST http://127.0.0.1:8090/api/order/create body\n");
  const load = await start(context, "ip", inside(program(), "gen", "http", "--urls", urls, "--rate", "100", "--count", "1200", "-c", "4", "--requests-per-connection", "10"), "", options);
  // While it goes on the page follows by itself.
  await until("some in the cards", async () => Number((await card(page, "Requests")).replace(/,/g, "")) > 100, 30);
  assert.equal(await load.ended, 0, load.said());
  await until("all in the cards", async () => (await card(page, "Requests")) === "1,200", 30);
  assert.equal(await card(page, "Lost records"), "0");
  await until("endpoints", async () => /POST \/api\/order\/create\s+400/.test(await panel(page, "Endpoints").innerText()));
  await until("packets by CPU", async () => (await panel(page, "Packets by CPU").locator("canvas").count()) === 1);
  await until("slow ones", async () => (await panel(page, "Slowest").locator("tbody tr").count()) === 10);
  assert.equal(await page.evaluate(() => "pwned" in globalThis), false);
  assert.deepEqual(await seriousFaults(page), []);
  await keep(page, "capture-overview");

  await page.getByRole("link", { name: "CPUs" }).click();
  const cpus = panel(page, "What each CPU carried");
  await until("CPUs", async () => (await cpus.locator("tbody tr").count()) > 0);
  await until("a rate", async () => /\/s/.test(await cpus.innerText()));
  assert.deepEqual(await seriousFaults(page), []);
  await keep(page, "capture-cpus");

  await page.getByRole("link", { name: "Health" }).click();
  await until("the pipeline", async () => (await page.locator(".stage").count()) >= 5);
  // The page's own eyes: nobody else is in the namespace.
  const ledger = await page.evaluate(async () => (await fetch("/api/ledger")).json());
  assert.ok(ledger.heads.found >= 2400, JSON.stringify(ledger.heads));
  await until("heads", async () => (await page.locator(".stage", { hasText: "Heads found" }).locator(".box b").innerText()) === ledger.heads.found.toLocaleString("en"));
  assert.match(await panel(page, "State").innerText(), /tapline run/);
  await until("its own CPU", async () => /% of a core/.test(await panel(page, "State").innerText()));
  assert.equal(await page.locator(".identities td.bad").count(), 0);
  assert.deepEqual(await seriousFaults(page), []);
  await keep(page, "capture-health");

  await page.getByRole("link", { name: "Sessions" }).click();
  const sessions = page.locator("table.rows");
  await until("sessions", async () => (await sessions.locator("tbody tr").count()) >= 20, 30);
  await sessions.getByRole("button", { name: "Details of" }).last().click();
  await page.getByRole("link", { name: "All exchanges of the session" }).click();
  await until("its exchanges", async () => (await page.locator("table.rows td.opener").count()) >= 10);
  await keep(page, "capture-session-exchanges");
  assertClean(page);

  assert.equal(await agent.stop("SIGINT"), 0, agent.said());
  await until("stale", async () => /^stale since/.test(await page.locator(".badge").innerText()));
});
