// Whether what is shown is live, paused, or stale since when.

import type { Freshness } from "../api/feed";
import { clock } from "../format";
import { t } from "../words";

/** The badge. */
export function Badge({ freshness }: { freshness: Freshness }) {
  return (
    <span class={`badge ${freshness.kind}`} role="status">
      <span class="dot" aria-hidden="true" />
      {words(freshness)}
    </span>
  );
}

function words(freshness: Freshness): string {
  switch (freshness.kind) {
    case "connecting":
      return t("badge_connecting");
    case "live":
      return t("badge_live");
    case "paused":
      return t("badge_paused", { since: clock(freshness.since / 1000) });
    case "stale":
      return t("badge_stale", { since: clock(freshness.since / 1000) });
  }
}
