// That what is shown is old, and since when: where the stream is lost.

import type { Freshness } from "../api/feed";
import { clock } from "../format";
import { t } from "../words";

/** Nothing where it is not. */
export function StaleNote({ freshness }: { freshness: Freshness }) {
  if (freshness.kind !== "stale") {
    return null;
  }
  return <p class="stale-note">{t("stale_note", { since: clock(freshness.since / 1000) })}</p>;
}
