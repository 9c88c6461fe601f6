// Writes a .br and a .gz beside every built file that gets smaller, so that the program never
// compresses while it serves.

import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const folder = new URL("../dist", import.meta.url).pathname;
let total = 0;
for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || /\.(br|gz)$/.test(entry.name)) {
    continue;
  }
  const path = join(entry.parentPath, entry.name);
  const bytes = readFileSync(path);
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
  const packed = { br: brotliCompressSync(bytes, quality), gz: gzipSync(bytes, { level: 9 }) };
  let least = bytes.length;
  for (const [ending, smaller] of Object.entries(packed)) {
    if (smaller.length < bytes.length) {
      writeFileSync(`${path}.${ending}`, smaller);
      least = Math.min(least, smaller.length);
    }
  }
  total += least;
}
console.log(`compressed: ${total} bytes in all`);
