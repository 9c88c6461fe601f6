// The overview: how it is, how it was, and what stands out.

import type { Stats } from "../api/types";
import { SearchBar } from "../parts/search-bar";
import type { Answer } from "../state/answer";
import { type Filters, OF_EXCHANGES, applying } from "../state/fields";
import { SearchContext, useNewSearch } from "../state/search";
import { useShell } from "../state/shell";
import { Cards } from "./overview/cards";
import { Charts } from "./overview/charts";
import { HoursOfDay, Insights } from "./overview/insights";
import { Recent, Slowest } from "./overview/requests";
import { MethodShares, StatusShares } from "./overview/share-panels";
import { useStats } from "./overview/stats";
import { Endpoints, TopList } from "./overview/top";
import { t } from "../words";

/** The view. */
export function Overview() {
  const { place } = useShell();
  const filters = applying(place.filters, OF_EXCHANGES);
  const search = useNewSearch(filters);
  return (
    <SearchContext.Provider value={search}>
      <SearchBar search={search} />
      <Parts filters={filters} />
    </SearchContext.Provider>
  );
}

/** Where the store is empty: how to get something into it. */
function NothingStored({ answer }: { answer: Answer<Stats> }) {
  if (answer.data === null || answer.data.since !== null || answer.data.total_requests > 0) {
    return null;
  }
  return (
    <div class="nothing-stored" role="status">
      <p>
        <b>{t("nothing_stored")}</b> {t("nothing_stored_run")}
      </p>
      <pre>curl 127.0.0.1</pre>
      <p>{t("nothing_stored_serve")}</p>
      <pre>{`tapline gen sessions -n 100 --api-url ${location.origin}/api`}</pre>
    </div>
  );
}

function Parts({ filters }: { filters: Filters }) {
  const stats = useStats(filters);
  return (
    <>
      <NothingStored answer={stats} />
      <Cards answer={stats} filtered={Object.keys(filters).length > 0} />
      <Charts filters={filters} />
      <div class="grid shares-grid">
        <StatusShares answer={stats} />
        <MethodShares filters={filters} />
        <HoursOfDay filters={filters} />
      </div>
      <Endpoints filters={filters} />
      <div class="grid thirds">
        <TopList by="host" filters={filters} />
        <TopList by="client" filters={filters} />
        <TopList by="user_agent" filters={filters} />
      </div>
      <div class="grid halves">
        <Slowest filters={filters} />
        <Recent filters={filters} />
      </div>
      <Insights />
    </>
  );
}
