// The head of the page: where one can go, whether it is live, and how it looks.

import { useEffect, useRef, useState } from "preact/hooks";

import type { Agent } from "../api/types";
import { VIEWS, format, other } from "../state/address";
import { kept } from "../state/keep";
import { useShell } from "../state/shell";
import { THEMES, type Theme, chooseTheme, chosenTheme } from "../theme";
import { LANGUAGES, type Language, language, t } from "../words";
import { Badge } from "./badge";

/** The head. */
export function Header(props: {
  agent: Agent | null;
  paused: boolean;
  pause: () => void;
  speak: (language: Language) => void;
  logOut: () => void;
}) {
  const { place, freshness, tick } = useShell();
  const [theme, setTheme] = useState(chosenTheme);
  // Where the window is narrow the list of views is wider than it: the view that is shown is named in it.
  const views = useRef<HTMLElement>(null);
  useEffect(() => {
    views.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [place.view]);
  const firing = tick?.alerts?.firing ?? 0;
  return (
    <header class="head">
      <div class="brand">
        <b>Tapline</b>
        {props.agent !== null && (
          <span class="host">
            <bdi>{props.agent.hostname ?? ""}</bdi>
          </span>
        )}
      </div>
      <nav aria-label={t("views")} ref={views}>
        {VIEWS.map((view) => (
          <a
            key={view}
            href={format(other(place, view))}
            aria-current={view === place.view ? "page" : undefined}
          >
            {t(`view_${view}`)}
            {view === "alerts" && firing > 0 && (
              <span class="count-firing" aria-label={t("alerts_firing", { count: firing })}>
                {firing}
              </span>
            )}
          </a>
        ))}
      </nav>
      <div class="tools">
        <Badge freshness={freshness} />
        <button type="button" aria-pressed={props.paused} onClick={props.pause}>
          {props.paused ? t("resume") : t("pause")}
        </button>
        <select
          aria-label={t("colours")}
          value={theme}
          onChange={(event) => {
            const chosen = event.currentTarget.value as Theme;
            setTheme(chosen);
            chooseTheme(chosen);
          }}
        >
          {THEMES.map((name) => (
            <option key={name} value={name}>
              {t(`theme_${name}`)}
            </option>
          ))}
        </select>
        <select
          aria-label={t("language")}
          value={language()}
          onChange={(event) => props.speak(event.currentTarget.value as Language)}
        >
          {Object.entries(LANGUAGES).map(([tag, name]) => (
            <option key={tag} value={tag} lang={tag}>
              {name}
            </option>
          ))}
        </select>
        {kept("in") !== null && (
          <button type="button" class="quiet" onClick={props.logOut}>
            {t("log_out")}
          </button>
        )}
      </div>
    </header>
  );
}
