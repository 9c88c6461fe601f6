// What is shown, as a file.

import { type Query, address } from "../api/client";
import { asParameters } from "../state/range";
import { useShell } from "../state/shell";
import { t } from "../words";

/** Links to the same rows as CSV and as NDJSON, all pages of them. */
export function Export({ path, query }: { path: string; query: Query }) {
  const { place } = useShell();
  const times = asParameters(place.range, Date.now() / 1000);
  const link = (format: string) => address(path, { ...query, ...times, format });
  return (
    <span class="export">
      {t("export")}{" "}
      <a href={link("csv")} download>
        CSV
      </a>{" "}
      <a href={link("ndjson")} download>
        NDJSON
      </a>
    </span>
  );
}
