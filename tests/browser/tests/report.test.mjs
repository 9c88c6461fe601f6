// The HTML report of `tapline report`, as a file that is opened: nothing is asked for, nothing runs, nothing
// of a log is taken for markup, and it can be read in both languages, light and dark, wide and narrow.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

import { assertClean, browser, keep, open, overflow, seriousFaults } from "../support/browser.mjs";
import { folder, program } from "../support/program.mjs";
import { HOSTILE } from "../support/records.mjs";

/** An hour of requests of which ten minutes failed and were slow, and hostile ones. */
function log() {
  const lines = [];
  const line = (second, target, status, micros, agent = "Mozilla/5.0 (X11; Linux x86_64)") => {
    const time = new Date(Date.UTC(2026, 10, 1, 10, 0, second)).toISOString();
    const stamp = `01/Nov/2026:${time.slice(11, 19)} +0000`;
    const escaped = agent.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
    const quoted = target.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll(" ", "%20");
    lines.push(`192.0.2.${second % 40} - - [${stamp}] "GET ${quoted} HTTP/1.1" ${status} 900 "-" "${escaped}" ${micros}`);
  };
  for (let second = 0; second < 3600; second += 1) {
    const bad = second >= 1800 && second < 2400;
    line(second, `/product/${second % 90}`, bad && second % 3 === 0 ? 503 : 200, bad ? 900_000 : 40_000 + (second % 17) * 1000);
  }
  for (const [index, text] of Object.values(HOSTILE).entries()) {
    for (let count = 0; count < 400; count += 1) {
      line(200 + index * 10, `/${text}`, 404, 5_000_000, text);
    }
  }
  lines.push("<b>no line at all</b>");
  return `${lines.join("\n")}\n`;
}

function report(context, language) {
  const place = folder(context);
  const file = join(place, "access.log");
  writeFileSync(file, log());
  const args = ["report", file, "--log-format", "combined_time", "--format", "html", "--lang", language];
  const html = join(place, "report.html");
  writeFileSync(html, execFileSync(program(), args, { env: { TZ: "UTC" }, maxBuffer: 1 << 26 }));
  return html;
}

/** Texts that lie over one another: pairs of boxes of text nodes that are seen and have more than a hair in common. */
function overlaps() {
  const boxes = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const text = node.textContent.trim();
    if (text === "" || node.parentElement.closest("style, script, title, desc, svg") !== null) {
      continue;
    }
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const { left, right, top, bottom } of range.getClientRects()) {
      if (right - left > 1 && bottom - top > 1) {
        boxes.push({ left, right, top, bottom, text: text.slice(0, 40) });
      }
    }
  }
  boxes.sort((one, other) => one.top - other.top);
  const found = [];
  for (const [index, one] of boxes.entries()) {
    for (let next = index + 1; next < boxes.length && boxes[next].top < one.bottom - 3; next += 1) {
      const other = boxes[next];
      if (Math.min(one.right, other.right) - Math.max(one.left, other.left) > 3) {
        found.push(`${one.text} / ${other.text}`);
      }
    }
  }
  return found.slice(0, 5);
}

for (const look of [
  { name: "light", language: "en" },
  { name: "dark", language: "en", dark: true },
  { name: "phone", language: "en", width: 360, height: 740 },
  { name: "ko", language: "ko", locale: "ko-KR" },
  { name: "ko-dark-phone", language: "ko", locale: "ko-KR", dark: true, width: 360, height: 740 },
]) {
  test(`the HTML report can be read: ${look.name}`, async (context) => {
    const html = report(context, look.language);
    const started = await browser(context);
    const asked = [];
    const url = pathToFileURL(html).href;
    const page = await open(started, url.replace(/\/report\.html$/, ""), "report.html", {
      ...look,
      before: (opened) => opened.on("request", (request) => asked.push(request.url())),
    });
    await page.waitForTimeout(200);
    await keep(page, `report-${look.name}`);
    assert.deepEqual(asked, [url]);
    assertClean(page);
    assert.equal(await page.evaluate(() => window.pwned), undefined);
    assert.equal(await page.locator("script, iframe, object, embed, form, img, link, base").count(), 0);
    const text = await page.locator("body").innerText();
    assert.ok(text.includes("<script>window.pwned=1</script>"), "the text of a path is there");
    assert.ok(!readFileSync(html, "utf8").includes("\u202E"));
    assert.ok((await page.locator("svg").count()) > 0, "there are charts");
    assert.ok(text.includes("503"));
    assert.ok((await overflow(page)) <= 0, `it is ${await overflow(page)} pixels too wide`);
    assert.deepEqual(await page.evaluate(overlaps), []);
    assert.deepEqual(await seriousFaults(page), []);
    assert.equal(await page.locator("html").getAttribute("lang"), look.language);
  });
}
