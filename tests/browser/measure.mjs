// Measures how soon the overview is drawn: `node measure.mjs URL [ROUNDS]`. Prints JSON: milliseconds from
// the start of the navigation until the cards have their numbers, and until all panels are drawn; bytes.

import { chromium } from "playwright-core";

const [url, rounds = "7"] = process.argv.slice(2);
const started = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
});
const cards = [];
const all = [];
let bytes = 0;
// The first round wakes the browser, and is not counted.
for (let round = 0; round <= Number(rounds); round += 1) {
  const context = await started.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const lengths = [];
  page.on("response", (response) => {
    if (/^\/($|assets\/)/.test(new URL(response.url()).pathname)) {
      lengths.push(response.allHeaders().then((fields) => Number(fields["content-length"] ?? 0)));
    }
  });
  // Looked at with every frame, by the page's own clock, which begins with the navigation.
  await page.addInitScript(() => {
    const seen = { cards: 0, all: 0 };
    globalThis.seen = seen;
    const look = () => {
      const figure = document.querySelector(".card .figure");
      if (seen.cards === 0 && figure !== null && /\d/.test(figure.textContent)) {
        seen.cards = performance.now();
      }
      const panels = document.querySelectorAll("section.panel");
      const waiting = [...panels].filter((panel) => panel.querySelector("table, .shares, .hours, .chart canvas, .failure, .covered") === null);
      const empty = waiting.filter((panel) => /On its way/.test(panel.textContent));
      if (seen.cards > 0 && panels.length >= 8 && empty.length === 0) {
        seen.all = performance.now();
      } else {
        requestAnimationFrame(look);
      }
    };
    requestAnimationFrame(look);
  });
  await page.goto(url);
  await page.waitForFunction(() => globalThis.seen.all > 0, undefined, { timeout: 30_000 });
  const seen = await page.evaluate(() => globalThis.seen);
  if (round > 0) {
    cards.push(Math.round(seen.cards));
    all.push(Math.round(seen.all));
  }
  bytes = (await Promise.all(lengths)).reduce((sum, length) => sum + length, 0);
  await context.close();
}
await started.close();
console.log(JSON.stringify({ cards_ms: cards, all_ms: all, bytes }));
