// The words of the page in the language of the reader.

import { en } from "./words/en";
import { ko } from "./words/ko";

/** The languages, each with its own name. */
export const LANGUAGES = { en: "English", ko: "한국어" } as const;

/** A language. */
export type Language = keyof typeof LANGUAGES;

/** The name of a text. */
export type Word = keyof typeof en;

const DICTIONARIES: Record<Language, Record<Word, string>> = { en, ko };

let current: Language = "en";

/** From now on texts are in this language. */
export function speak(language: Language): void {
  current = language;
}

/** The language that texts are in. */
export function language(): Language {
  return current;
}

/** A text, with what stands in braces filled in. */
export function t(word: Word, values: Record<string, string | number> = {}): string {
  return fill(DICTIONARIES[current][word], values);
}

/** Whether there is a text of this name: for words that the API chooses. */
export function isWord(name: string): name is Word {
  return Object.hasOwn(en, name);
}

/** The name of something that the API calls `name`: translated where it is known. */
export function named(prefix: string, name: string): string {
  const word = `${prefix}_${name}`;
  return isWord(word) ? t(word) : name;
}

/** The language that somebody wants: as kept, or as the browser says. */
export function preferred(kept: string | null, wanted: readonly string[]): Language {
  if (kept !== null && Object.hasOwn(LANGUAGES, kept)) {
    return kept as Language;
  }
  const first = wanted.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => Object.hasOwn(LANGUAGES, tag));
  return (first as Language | undefined) ?? "en";
}

function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}
