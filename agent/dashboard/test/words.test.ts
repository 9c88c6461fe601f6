import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import { FIELDS } from "../src/state/fields";
import { VIEWS } from "../src/state/address";
import { PRESETS } from "../src/state/range";
import { THEMES } from "../src/theme";
import { isWord, named, preferred, speak, t } from "../src/words";
import { en } from "../src/words/en";
import { ko } from "../src/words/ko";

const SOURCES = join(import.meta.dirname, "../src");

function sources(): string {
  const files = readdirSync(SOURCES, { recursive: true, encoding: "utf8" });
  const code = files.filter((name) => /\.tsx?$/.test(name) && !name.startsWith("words/"));
  return code.map((name) => readFileSync(join(SOURCES, name), "utf8")).join("\n");
}

describe("the languages", () => {
  test("have the same texts with the same places to fill in", () => {
    expect(Object.keys(ko)).toEqual(Object.keys(en));
    const places = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();
    for (const [word, text] of Object.entries(en)) {
      const other = ko[word as keyof typeof en];
      expect(other, word).not.toBe("");
      // Some are examples, which are no language.
      if (!word.startsWith("example_")) {
        expect(places(other), word).toEqual(places(text));
      }
    }
  });

  test("Korean is Korean", () => {
    const same = Object.keys(en).filter((word) => en[word as keyof typeof en] === ko[word as keyof typeof en]);
    expect(same.filter((word) => !/^(example_|field_cpu|metric_p99|col_cpus)/.test(word))).toEqual([]);
  });

  test("every text that is used is there, and none is there for nothing", () => {
    const code = sources();
    const used = new Set([...code.matchAll(/\bt\("(\w+)"/g)].map(([, word]) => word ?? ""));
    for (const word of used) {
      expect(isWord(word), word).toBe(true);
    }
    const families = [...code.matchAll(/\bt\(`(\w+_)\$\{/g), ...code.matchAll(/\bnamed\("(\w+)"/g)].map(([, prefix]) =>
      (prefix ?? "").replace(/_?$/, "_"),
    );
    const unused = Object.keys(en).filter(
      (word) => !used.has(word) && !families.some((prefix) => word.startsWith(prefix)),
    );
    expect(unused).toEqual([]);
  });

  test("every name that is put together is there", () => {
    const names = [
      ...FIELDS.flatMap((field) => [`field_${field}`, `example_${field}`]),
      ...VIEWS.map((view) => `view_${view}`),
      ...Object.keys(PRESETS).map((preset) => `range_${preset}`),
      ...THEMES.map((theme) => `theme_${theme}`),
    ];
    expect(names.filter((name) => !isWord(name))).toEqual([]);
  });

  test("are chosen by what was kept, else by what the browser wants", () => {
    expect(preferred(null, ["ko-KR", "en"])).toBe("ko");
    expect(preferred(null, ["de", "ko"])).toBe("ko");
    expect(preferred(null, ["de"])).toBe("en");
    expect(preferred("en", ["ko"])).toBe("en");
    expect(preferred("constructor", ["ko"])).toBe("ko");
  });

  test("places are filled in, and what is filled in is not looked at again", () => {
    speak("ko");
    expect(t("now", { value: "{value}" })).toBe("현재 {value}");
    speak("en");
    expect(t("now", { value: "3/s" })).toBe("now 3/s");
    expect(named("alert", "firing")).toBe("firing");
    expect(named("alert", "<b>")).toBe("<b>");
    expect(named("alert", "constructor")).toBe("constructor");
  });
});

describe("the sources", () => {
  test("put no text in as markup, and ask no other host", () => {
    const code = sources();
    for (const way of ["innerHTML", "dangerouslySetInnerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "outerHTML", "srcdoc"]) {
      expect(code.includes(way), way).toBe(false);
    }
    expect(code.match(/\bhttps?:\/\/[^\s"'`]+/g)?.filter((address) => !address.includes("www.w3.org")) ?? []).toEqual([]);
  });
});
