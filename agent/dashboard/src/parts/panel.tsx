// A part of a view with its heading, and what stands in it while there is nothing to show.

import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

import type { ApiError } from "../api/client";
import { type Answer, coveredOf } from "../state/answer";
import { isPartial } from "../state/search";
import { t } from "../words";
import { CoveredNote } from "./covered";
import { SoFar } from "./search-bar";

/** A part of a view. */
export function Panel(props: {
  title: string;
  note?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}) {
  const id = useId();
  return (
    <section class={`panel ${props.class ?? ""}`} aria-labelledby={id}>
      <header>
        <h2 id={id}>{props.title}</h2>
        {props.note === undefined ? null : <div class="note">{props.note}</div>}
      </header>
      {props.children}
    </section>
  );
}

/** A part of a view that shows an answer: or that it is on its way, why there is none, or that it is empty. */
export function AnswerPanel<Data>(props: {
  title: string;
  answer: Answer<Data>;
  note?: ComponentChildren;
  class?: string;
  /** What to say where nothing is in it; null: something is. */
  empty?: (data: Data) => string | null;
  /** What is shown is no part of the search. */
  unsearched?: boolean;
  children: (data: Data) => ComponentChildren;
}) {
  const { answer } = props;
  const covered = props.unsearched === true ? null : coveredOf(answer.data);
  const nothing = answer.data === null ? null : (props.empty?.(answer.data) ?? null);
  const note = isPartial(covered) ? (
    <>
      <SoFar covered={covered} /> {props.note}
    </>
  ) : (
    props.note
  );
  return (
    <Panel title={props.title} note={note} class={`${props.class ?? ""}${answer.loading ? " waiting" : ""}`}>
      <Failure error={answer.error} again={answer.again} />
      {answer.data === null ? (
        answer.error === null && <p class="empty">{t("loading")}</p>
      ) : nothing !== null ? (
        <p class="empty">{isPartial(covered) ? t("none_so_far") : nothing}</p>
      ) : (
        props.children(answer.data)
      )}
      <CoveredNote answer={answer} />
    </Panel>
  );
}

/** Why there is no answer, as the API says it. */
export function Failure({ error, again }: { error: ApiError | null; again?: () => void }) {
  if (error === null) {
    return null;
  }
  const sentence = error.status === 0 ? t("unreachable") : error.message || t("failed_without_reason");
  return (
    <div class="failure" role="alert">
      <span>
        {error.status > 0 && <b>{error.status} </b>}
        {sentence}
      </span>
      {again !== undefined && (
        <button type="button" onClick={again}>
          {t("try_again")}
        </button>
      )}
    </div>
  );
}
