// The frame of the page: navigation, time range and filters, what comes live, and the view.

import type { ComponentType } from "preact";
import { useCallback, useEffect, useMemo, useState } from "preact/hooks";

import { freshness as freshnessAt } from "./api/feed";
import { ask, isAbort, post } from "./api/client";
import type { Agent } from "./api/types";
import { FilterBar } from "./parts/filter-bar";
import { Header } from "./parts/header";
import { Login } from "./parts/login";
import { RangeBar } from "./parts/range-bar";
import { StaleNote } from "./parts/stale-note";
import { type View, format, parse } from "./state/address";
import { useBegin } from "./state/begin";
import { type Field, OF_EXCHANGES, OF_SESSIONS } from "./state/fields";
import { keep } from "./state/keep";
import { useFeed } from "./state/live";
import { refreshSeconds } from "./state/range";
import { type Shell, ShellContext } from "./state/shell";
import { AlertsView } from "./views/alerts";
import { CpusView } from "./views/cpus";
import { ExchangesView } from "./views/exchanges";
import { HealthView } from "./views/health";
import { Overview } from "./views/overview";
import { SessionsView } from "./views/sessions";
import { TailView } from "./views/tail";
import { type Language, t } from "./words";

const VIEW: Record<View, ComponentType> = {
  overview: Overview,
  exchanges: ExchangesView,
  sessions: SessionsView,
  tail: TailView,
  cpus: CpusView,
  health: HealthView,
  alerts: AlertsView,
};

/** What each view can use of filters and of the time range. */
const USES: Record<View, { filters: readonly Field[]; range: boolean }> = {
  overview: { filters: OF_EXCHANGES, range: true },
  exchanges: { filters: OF_EXCHANGES, range: true },
  sessions: { filters: OF_SESSIONS, range: true },
  tail: { filters: OF_EXCHANGES, range: false },
  cpus: { filters: [], range: true },
  health: { filters: [], range: false },
  alerts: { filters: [], range: false },
};

/** The page. */
export function App({ speak }: { speak: (language: Language) => void }) {
  const [place, setPlace] = useState(() => parse(location.hash));
  const [entry, setEntry] = useState<"asking" | "in" | "login" | "open">("asking");
  const [round, setRound] = useState(0);
  const [pausedAt, setPausedAt] = useState<number | null>(null);
  const unauthorized = useCallback(() => setEntry("login"), []);

  useEffect(() => {
    const moved = () => setPlace(parse(location.hash));
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);

  const [agent, setAgent] = useState<Agent | null>(null);
  useEffect(() => {
    ask<Agent>("/api/agent")
      .then((found) => {
        setAgent(found);
        setEntry("in");
      })
      .catch((error: unknown) => {
        if (!isAbort(error)) {
          setEntry((error as { status?: number }).status === 401 ? "login" : "open");
        }
      });
  }, [round]);

  const isIn = entry === "in" || entry === "open";
  const feed = useFeed(isIn && pausedAt === null, unauthorized);
  const every = refreshSeconds(place.range);
  // It is asked for again while the page is live: not when paused, nor when nobody looks.
  const beat = Math.floor(feed.ticks / every);

  const freshness = freshnessAt(pausedAt, feed.started, feed.last, feed.now);

  const shell = useMemo<Shell>(() => {
    const go = (to: typeof place) => {
      location.hash = format(to);
    };
    return {
      place,
      go,
      filter: (field, value) => {
        const filters = { ...place.filters };
        delete filters[field];
        if (value !== null) {
          filters[field] = value;
        }
        go({ ...place, filters, after: null });
      },
      setRange: (range) => go({ ...place, range, after: null }),
      tick: feed.tick,
      seconds: feed.seconds,
      points: feed.points,
      freshness,
      beat,
      unauthorized,
    };
  }, [place, feed, pausedAt, beat]);

  useBegin(agent?.mode === "watch", place.range, shell.setRange);
  const pause = () => setPausedAt((before) => (before === null ? Date.now() : null));
  useKeys(pause);
  useEffect(() => {
    document.title = `${t(`view_${place.view}`)} · Tapline${agent?.hostname ? ` · ${agent.hostname}` : ""}`;
  }, [place.view, agent]);

  if (entry === "login") {
    return (
      <Login
        done={() => {
          keep("in", "yes");
          setEntry("asking");
          setRound(round + 1);
        }}
      />
    );
  }
  const View = VIEW[place.view];
  const { filters, range } = USES[place.view];
  return (
    <ShellContext.Provider value={shell}>
      <a class="skip" href="#main" onClick={skip}>
        {t("skip")}
      </a>
      <Header agent={agent} paused={pausedAt !== null} pause={pause} speak={speak} logOut={logOut} />
      {(range || filters.length > 0) && (
        <div class="controls">
          {range && <RangeBar />}
          {filters.length > 0 && <FilterBar known={filters} />}
        </div>
      )}
      <main id="main" tabIndex={-1} class={freshness.kind === "stale" ? "stale" : ""}>
        <StaleNote freshness={freshness} />
        <h1 class="hidden">{t(`view_${place.view}`)}</h1>
        {isIn && <View key={place.view} />}
      </main>
      <footer>
        <span>{t("footer_local")}</span>
        <span>{t("footer_keys")}</span>
        <a href="/api/openapi.json">OpenAPI</a>
        <a href="/assets/licences.md">{t("licences")}</a>
        {agent !== null && <span>Tapline {agent.version}</span>}
      </footer>
    </ShellContext.Provider>
  );

  function logOut() {
    keep("in", null);
    post("/api/logout", {}).then(unauthorized, unauthorized);
  }
}

function skip(event: Event) {
  // The address behind the # is that of the view.
  event.preventDefault();
  document.getElementById("main")?.focus();
}

/** `p` pauses, `/` goes to the filters. */
function useKeys(pause: () => void) {
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement | null;
      const writing = target !== null && /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName);
      if (writing || event.ctrlKey || event.metaKey || event.altKey) {
        return;
      }
      if (event.key === "p") {
        pause();
      } else if (event.key === "/") {
        event.preventDefault();
        document.getElementById("add-filter")?.focus();
      }
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  });
}
