// The time range: the last so-and-so long, or from one time to another.

import { useState } from "preact/hooks";

import { dayAndTime, zone } from "../format";
import { PRESETS, type Preset, between, bounds } from "../state/range";
import { useShell } from "../state/shell";
import { t } from "../words";

/** The picker. */
export function RangeBar() {
  const { place, setRange } = useShell();
  const { range } = place;
  const [open, setOpen] = useState(range.kind === "between");
  const now = Date.now() / 1000;
  const { from, to } = bounds(range, now);
  const [first, setFirst] = useState("");
  const [last, setLast] = useState("");
  const wanted = between(fromField(first || asField(from)), fromField(last || asField(to)));
  return (
    <div class="range" role="group" aria-label={t("time_range")}>
      <div class="segments">
        {(Object.keys(PRESETS) as Preset[]).map((preset) => (
          <button
            type="button"
            key={preset}
            aria-pressed={range.kind === "last" && range.preset === preset}
            title={t(`range_${preset}`)}
            onClick={() => {
              setOpen(false);
              setRange({ kind: "last", preset });
            }}
          >
            {preset}
          </button>
        ))}
        <button
          type="button"
          aria-pressed={range.kind === "between"}
          aria-expanded={open}
          onClick={() => {
            setFirst("");
            setLast("");
            setOpen(!open);
          }}
        >
          {range.kind === "between" ? `${dayAndTime(range.from)} – ${dayAndTime(range.to)}` : t("from_to")}
        </button>
      </div>
      {open && (
        <form
          class="between"
          onSubmit={(event) => {
            event.preventDefault();
            if (wanted !== null) {
              setRange(wanted);
            }
          }}
        >
          <label>
            {t("from")}{" "}
            <input
              type="datetime-local"
              step="1"
              value={first || asField(from)}
              onInput={(event) => setFirst(event.currentTarget.value)}
            />
          </label>
          <label>
            {t("to")}{" "}
            <input
              type="datetime-local"
              step="1"
              value={last || asField(to)}
              onInput={(event) => setLast(event.currentTarget.value)}
            />
          </label>
          <button type="submit" disabled={wanted === null}>
            {t("show")}
          </button>
        </form>
      )}
      <span class="zone">{zone(new Date())}</span>
    </div>
  );
}

/** As the browser's field wants it: 2026-03-14T14:03:07, in its zone. */
function asField(seconds: number): string {
  return dayAndTime(seconds).replace(" ", "T");
}

function fromField(text: string): number {
  return Date.parse(text) / 1000;
}
