// How far the search behind a view has come, and the way to stop it and to go on.

import { SearchContext, type Search, isPartial } from "../state/search";
import { useContext } from "preact/hooks";

import type { Covered } from "../api/types";
import { dayAndTime, percent } from "../format";
import { t } from "../words";

/** Nothing where there was nothing to search for. */
export function SearchBar({ search }: { search: Search }) {
  const { progress } = search;
  if (progress.kind === "none") {
    return null;
  }
  const times = { from: dayAndTime(progress.from), to: dayAndTime(progress.to) };
  if (progress.kind === "done") {
    return (
      <div class="covered search" role="group" aria-label={t("search")}>
        <span>{t("searched_all", times)}</span>
        <button type="button" onClick={search.again}>
          {t("search_again")}
        </button>
      </div>
    );
  }
  const going = progress.kind === "going";
  return (
    <div class="covered search" role="group" aria-label={t("search")}>
      <span>{going ? t("searching", times) : t("search_stopped", times)}</span>
      <progress max={1} value={progress.share} aria-label={t("search")} />
      <span>{percent(Math.floor(100 * progress.share))}</span>
      <button type="button" onClick={going ? search.stop : search.goOn}>
        {going ? t("stop") : t("go_on")}
      </button>
      {!going && (
        <button type="button" onClick={search.again}>
          {t("search_again")}
        </button>
      )}
    </div>
  );
}

/** Says of a part of such a view that more may come. */
export function SoFar({ covered }: { covered: Covered | null }) {
  const search = useContext(SearchContext);
  return search !== null && isPartial(covered) ? <span class="so-far">{t("so_far")}</span> : null;
}
