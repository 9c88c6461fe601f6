// Chromium, and a page that is watched: no error, no refusal of its own security policy, no request to
// anywhere else.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import { chromium } from "playwright-core";

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts the browser; it ends with the test. */
export async function browser(context, executable = process.env.CHROMIUM ?? "/usr/bin/chromium") {
  const started = await chromium.launch({ executablePath: executable, args: ARGUMENTS });
  context.after(() => started.close());
  return started;
}

/** Opens a page of the dashboard, in a zone that is not UTC. */
export async function open(started, url, hash = "", { locale = "en-US", dark = false, width = 1440, height = 900, before, ...options } = {}) {
  const context = await started.newContext({
    locale,
    timezoneId: "Asia/Seoul",
    colorScheme: dark ? "dark" : "light",
    viewport: { width, height },
    ...options,
  });
  const page = await context.newPage();
  const faults = [];
  page.on("console", (message) => {
    // Of what cannot be loaded the answer itself says more, below.
    const isAnswer = message.text().startsWith("Failed to load resource: the server responded");
    if (!isAnswer && (message.type() === "error" || message.type() === "warning")) {
      faults.push(`${message.type()}: ${message.text()}`);
    }
  });
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("request", (request) => {
    const { protocol, host } = new URL(request.url());
    if (!["data:", "blob:"].includes(protocol) && host !== new URL(url).host) {
      faults.push(`a request to ${request.url()}`);
    }
  });
  page.on("response", (response) => {
    const { pathname } = new URL(response.url());
    // A program that keeps no reports has none to show.
    if (response.status() >= 400 && pathname !== "/api/report") {
      faults.push(`${response.status()} ${response.url()}`);
    }
  });
  page.faults = faults;
  before?.(page);
  await page.goto(`${url}/${hash}`);
  return page;
}

/** Nothing went wrong on the page but what is expected. */
export function assertClean(page, expected = []) {
  const faults = page.faults.filter((fault) => !expected.some((text) => fault.includes(text)));
  assert.deepEqual(faults, []);
}

/** The text of the card with this label. */
export async function card(page, label) {
  return page.locator(".card", { hasText: label }).first().locator(".figure").innerText();
}

/** Waits until a condition holds; `what` it is, for the message. */
export async function until(what, condition, seconds = 15) {
  const end = Date.now() + seconds * 1000;
  let last;
  while (Date.now() < end) {
    try {
      last = await condition();
      if (last) {
        return last;
      }
    } catch (error) {
      last = error;
    }
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new assert.AssertionError({ message: `${what}: not within ${seconds} s; last: ${String(last)}` });
}

/** The table of a view, or the panel with this heading. */
export function panel(page, title) {
  return page.locator("section.panel", { has: page.locator("h2", { hasText: title }) });
}

/** Keeps a picture of the whole page. */
export async function keep(page, name) {
  const folder = process.env.TAPLINE_SCREENSHOTS;
  if (folder) {
    mkdirSync(folder, { recursive: true });
    await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  }
}

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The faults for screen readers and keyboards that axe calls serious or critical. */
export async function seriousFaults(page) {
  // By the debugger, which the page's security policy does not hold back.
  await page.evaluate(`${AXE}; undefined`);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`);
}

/** How many pixels the page is wider than its window. */
export async function overflow(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}
