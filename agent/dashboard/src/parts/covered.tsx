// How far an answer came that had to search row by row, and the way to go on.

import type { Covered } from "../api/types";
import { dayAndTime } from "../format";
import type { Answer } from "../state/answer";
import { t } from "../words";

/** Nothing where all is covered. */
export function CoveredNote<Data>({ answer }: { answer: Answer<Data> }) {
  const covered = (answer.data as { covered?: Covered } | null)?.covered ?? null;
  if (covered === null || covered.complete) {
    return null;
  }
  return (
    <p class="covered" role="status">
      <span>{t("covered_from", { from: dayAndTime(covered.from), to: dayAndTime(covered.to) })}</span>
      {answer.goingOn ? (
        <button type="button" onClick={answer.stop}>
          {t("stop")}
        </button>
      ) : (
        covered.next !== null && (
          <button type="button" onClick={answer.goOn}>
            {t("go_on")}
          </button>
        )
      )}
      {!answer.goingOn && (
        <button type="button" onClick={answer.again}>
          {t("search_again")}
        </button>
      )}
    </p>
  );
}
