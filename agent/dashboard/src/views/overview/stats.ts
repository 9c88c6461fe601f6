// The sums of the time range and filters.

import type { Stats } from "../../api/types";
import type { Answer } from "../../state/answer";
import type { Filters } from "../../state/fields";
import { usePart } from "../../state/part";

/** Asks for them. */
export function useStats(filters: Filters): Answer<Stats> {
  return usePart<Stats>("/api/stats", filters);
}
