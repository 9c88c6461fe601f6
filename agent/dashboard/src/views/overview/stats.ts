// The sums of the time range and filters.

import type { Stats } from "../../api/types";
import { type Answer, useAnswer } from "../../state/answer";
import type { Filters } from "../../state/fields";
import { joinStats } from "../../state/partial";

/** Asks for them. */
export function useStats(filters: Filters): Answer<Stats> {
  return useAnswer<Stats>("/api/stats", filters, { ranged: true, live: true, join: joinStats });
}
