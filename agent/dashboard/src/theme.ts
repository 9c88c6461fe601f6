// Light or dark: as the system has it, or as the reader chose.

import { keep, kept } from "./state/keep";

/** What can be chosen. */
export const THEMES = ["system", "light", "dark"] as const;

/** A choice of colours. */
export type Theme = (typeof THEMES)[number];

/** What was chosen. */
export function chosenTheme(): Theme {
  const theme = kept("theme");
  return theme === "light" || theme === "dark" ? theme : "system";
}

/** Chooses colours, and keeps the choice. */
export function chooseTheme(theme: Theme): void {
  keep("theme", theme === "system" ? null : theme);
  applyTheme(theme);
}

/** Puts the colours in force. */
export function applyTheme(theme: Theme): void {
  const root = document.documentElement;
  if (theme === "system") {
    delete root.dataset["theme"];
  } else {
    root.dataset["theme"] = theme;
  }
  root.dispatchEvent(new Event("themechange"));
}

/** Calls back when colours change, by choice or by the system; gives what ends that. */
export function onThemeChange(changed: () => void): () => void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  system.addEventListener("change", changed);
  root.addEventListener("themechange", changed);
  return () => {
    system.removeEventListener("change", changed);
    root.removeEventListener("themechange", changed);
  };
}
