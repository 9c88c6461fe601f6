// The sinks with their queues.

import type { Agent } from "../../api/types";
import { number } from "../../format";
import { AnswerPanel } from "../../parts/panel";
import type { Answer } from "../../state/answer";
import { t } from "../../words";

/** A table of them. */
export function Sinks({ agent }: { agent: Answer<Agent> }) {
  return (
    <AnswerPanel
      title={t("sinks")}
      answer={agent}
      note={t("since_start")}
      empty={(found) => (found.sinks.length === 0 ? t("empty_sinks") : null)}
    >
      {(found) => (
        <div class="scroll" tabIndex={0} role="region" aria-label={t("sinks")}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t("sink")}</th>
                <th scope="col" class="num">
                  {t("queue")}
                </th>
                {(["stored", "spooled", "refused", "lost"] as const).map((name) => (
                  <th key={name} scope="col" class="num">
                    {t(`col_${name}`)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {found.sinks.map((sink) => (
                <tr key={sink.name}>
                  <th scope="row">{sink.name}</th>
                  <td class="num">{number(sink.queue)}</td>
                  <td class="num">{number(sink.stored)}</td>
                  <td class="num">{number(sink.spooled)}</td>
                  <td class="num">{number(sink.refused)}</td>
                  <td class={`num${sink.lost > 0 ? " bad" : ""}`}>{number(sink.lost)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </AnswerPanel>
  );
}
