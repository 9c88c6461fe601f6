// The overview: how it is, how it was, and what stands out.

import { SearchBar } from "../parts/search-bar";
import { type Filters, OF_EXCHANGES, applying } from "../state/fields";
import { SearchContext, useNewSearch } from "../state/search";
import { useShell } from "../state/shell";
import { Cards } from "./overview/cards";
import { Charts } from "./overview/charts";
import { HoursOfDay, Insights } from "./overview/insights";
import { NothingStored } from "./overview/nothing";
import { Recent, Slowest } from "./overview/requests";
import { MethodShares, StatusShares } from "./overview/share-panels";
import { useStats } from "./overview/stats";
import { Endpoints, TopList } from "./overview/top";

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
