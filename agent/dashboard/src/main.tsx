// Starts the page.

import "./styles/page.css";

import { render } from "preact";

import { App } from "./app";
import { keep, kept } from "./state/keep";
import { applyTheme, chosenTheme } from "./theme";
import { type Language, preferred, speak } from "./words";

applyTheme(chosenTheme());
show(preferred(kept("language"), navigator.languages));

/** Draws the page in a language; another one draws it anew. */
function show(language: Language) {
  speak(language);
  document.documentElement.lang = language;
  const place = document.getElementById("page");
  if (place !== null) {
    render(<App key={language} speak={change} />, place);
  }
}

function change(language: Language) {
  keep("language", language);
  show(language);
}
