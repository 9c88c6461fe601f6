// Pages that are found in parts, put together. Pure.

import type { Covered } from "../api/types";

/** What lists of rows have in common. */
interface Page {
  next: string | null;
  covered?: Covered;
}

/** Puts the rows of the rest behind those of a part; `rows`: the name of the list. */
export function joinPages<Name extends string, Row, Data extends Page & Record<Name, Row[]>>(
  rows: Name,
  part: Data,
  rest: Data,
): Data {
  const covered =
    part.covered === undefined || rest.covered === undefined ? {} : { covered: joinCovered(part.covered, rest.covered) };
  return { ...rest, ...covered, [rows]: [...part[rows], ...rest[rows]] };
}

/** Two parts as one, of which `later` goes on where `earlier` stopped. */
export function joinCovered(earlier: Covered, later: Covered): Covered {
  const before = Date.parse(later.from) < Date.parse(earlier.from);
  return { ...later, from: before ? later.from : earlier.from, to: earlier.to };
}
