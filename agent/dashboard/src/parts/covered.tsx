// How far an answer came that stands alone and had to be searched for, and the way to go on.

import { useContext } from "preact/hooks";

import { dayAndTime } from "../format";
import { type Answer, coveredOf } from "../state/answer";
import { SearchContext, isPartial } from "../state/search";
import { t } from "../words";

/** Nothing where all is covered, or the view says it for all of its parts. */
export function CoveredNote<Data>({ answer }: { answer: Answer<Data> }) {
  const search = useContext(SearchContext);
  const covered = coveredOf(answer.data);
  if (covered === null || covered.complete) {
    return null;
  }
  const times = { from: dayAndTime(covered.from), to: dayAndTime(covered.to) };
  if (!isPartial(covered)) {
    return <p class="covered">{t("known_from", times)}</p>;
  }
  if (search !== null) {
    return null;
  }
  return (
    <p class="covered" role="status">
      <span>{answer.goingOn ? t("searching", times) : t("search_stopped", times)}</span>
      <button type="button" onClick={answer.goingOn ? answer.stop : answer.goOn}>
        {answer.goingOn ? t("stop") : t("go_on")}
      </button>
      {!answer.goingOn && (
        <button type="button" onClick={answer.again}>
          {t("search_again")}
        </button>
      )}
    </p>
  );
}
