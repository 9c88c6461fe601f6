// What is looked at, and the address of the page that says so. Everything stands behind the `#`: it
// is never sent anywhere, and a copied address shows the same view. Pure.

import { type Filters, isField } from "./fields";
import { DEFAULT, type Range, between, instant, isPreset, parseInstant } from "./range";

/** The views, in the order of the navigation. */
export const VIEWS = ["overview", "exchanges", "sessions", "tail", "cpus", "health", "alerts"] as const;

/** The name of a view. */
export type View = (typeof VIEWS)[number];

/** What endpoints and the like are sorted by. */
export const SORTS = ["requests", "errors", "mean", "p99", "bytes"] as const;

/** A way to sort endpoints and the like. */
export type Sort = (typeof SORTS)[number];

/** All that the address says. */
export interface Place {
  readonly view: View;
  readonly range: Range;
  readonly filters: Filters;
  readonly order: "newest" | "oldest";
  readonly sort: Sort;
  /** Where a page of a table begins; null: at the first row. */
  readonly after: string | null;
}

/** Where one comes in. */
export const START: Place = {
  view: "overview",
  range: DEFAULT,
  filters: {},
  order: "newest",
  sort: "requests",
  after: null,
};

const LONGEST = 16_384;

/** Reads an address; what is not understood is as if it were not there. */
export function parse(hash: string): Place {
  const text = hash.slice(0, LONGEST).replace(/^#?\/?/, "");
  const [path = "", query = ""] = split(text, "?");
  const parameters = new URLSearchParams(query);
  const view = (VIEWS as readonly string[]).includes(path) ? (path as View) : START.view;
  const filters: Filters = {};
  for (const [name, value] of parameters) {
    if (isField(name) && value !== "") {
      filters[name] = value;
    }
  }
  const sort = parameters.get("sort") ?? "";
  return {
    view,
    range: parseRange(parameters),
    filters,
    order: parameters.get("order") === "oldest" ? "oldest" : "newest",
    sort: (SORTS as readonly string[]).includes(sort) ? (sort as Sort) : START.sort,
    after: parameters.get("after") || null,
  };
}

/** Writes an address: what is as it is without saying is left out. */
export function format(place: Place): string {
  const parameters = new URLSearchParams();
  if (place.range.kind === "between") {
    parameters.set("from", instant(place.range.from));
    parameters.set("to", instant(place.range.to));
  } else if (DEFAULT.kind !== "last" || place.range.preset !== DEFAULT.preset) {
    parameters.set("range", place.range.preset);
  }
  for (const [field, value] of Object.entries(place.filters)) {
    parameters.set(field, value);
  }
  if (place.order !== START.order) {
    parameters.set("order", place.order);
  }
  if (place.sort !== START.sort) {
    parameters.set("sort", place.sort);
  }
  if (place.after !== null) {
    parameters.set("after", place.after);
  }
  const query = parameters.toString();
  return `#/${place.view}${query === "" ? "" : `?${query}`}`;
}

/** The place of another view: with the same range and filters, at the first row. */
export function other(place: Place, view: View): Place {
  return { ...place, view, after: null };
}

function parseRange(parameters: URLSearchParams): Range {
  const from = parameters.get("from");
  const to = parameters.get("to");
  if (from !== null && to !== null) {
    return between(parseInstant(from), parseInstant(to)) ?? DEFAULT;
  }
  const preset = parameters.get("range") ?? "";
  return isPreset(preset) ? { kind: "last", preset } : DEFAULT;
}

function split(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
