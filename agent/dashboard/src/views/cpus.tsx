// CPUs: what each carried, what each lost, and sessions whose two directions met different ones.

import type { Agent, CpuCounts, SessionPage } from "../api/types";
import { bytes, number, percent, short } from "../format";
import { AnswerPanel } from "../parts/panel";
import { useAnswer } from "../state/answer";
import { useAgent } from "../state/agent";
import { format } from "../state/address";
import type { Filters } from "../state/fields";
import { SearchContext, useNewSearch } from "../state/search";
import { useShell } from "../state/shell";
import { t } from "../words";
import { PacketsPanel, useSeries } from "./overview/charts";
import { SessionTable } from "./sessions";

/** All exchanges. */
const NONE: Filters = {};

/** The view. */
export function CpusView() {
  const agent = useAgent();
  const search = useNewSearch(NONE);
  return (
    <>
      <SearchContext.Provider value={search}>
        <Packets />
      </SearchContext.Provider>
      <AnswerPanel
        title={t("cpus_table")}
        answer={agent.answer}
        note={t("since_start")}
        empty={(found) => (found.cpus.length === 0 ? t("empty_cpus") : null)}
      >
        {(found) => <CpuTable agent={found} before={agent.before} />}
      </AnswerPanel>
      <Differing agent={agent.answer.data} />
    </>
  );
}

function Packets() {
  const series = useSeries(NONE);
  return <PacketsPanel answer={series} />;
}

function CpuTable({ agent, before }: { agent: Agent; before: Agent | null }) {
  const total = agent.cpus.reduce((sum, cpu) => sum + cpu.packets, 0);
  const seconds = before === null ? 0 : (Date.parse(agent.now) - Date.parse(before.now)) / 1000;
  const rate = (cpu: CpuCounts): number | null => {
    const then = before?.cpus.find((one) => one.cpu === cpu.cpu);
    return then === undefined || seconds <= 0 ? null : Math.max(0, cpu.packets - then.packets) / seconds;
  };
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={t("cpus_table")}>
      <table>
        <thead>
          <tr>
            <th scope="col">CPU</th>
            {(["packets", "share", "rate", "bytes", "heads", "ignored", "lost"] as const).map((name) => (
              <th key={name} scope="col" class="num">
                {t(`col_${name}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {agent.cpus.map((cpu) => (
            <tr key={cpu.cpu}>
              <th scope="row" class="weighed">
                <span
                  class="weight"
                  aria-hidden="true"
                  style={{ width: `${total > 0 ? (100 * cpu.packets) / total : 0}%` }}
                />
                <span class="over">{cpu.cpu}</span>
              </th>
              <td class="num">{number(cpu.packets)}</td>
              <td class="num">{percent(total > 0 ? (100 * cpu.packets) / total : null)}</td>
              <td class="num">{rate(cpu) === null ? number(null) : `${short(rate(cpu))}/s`}</td>
              <td class="num">{bytes(cpu.bytes)}</td>
              <td class="num">{number(cpu.heads)}</td>
              <td class="num">{number(cpu.ignored)}</td>
              <td class={`num${cpu.lost > 0 ? " bad" : ""}`}>{number(cpu.lost)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Differing({ agent }: { agent: Agent | null }) {
  const { place } = useShell();
  const answer = useAnswer<SessionPage>("/api/sessions", { cpus: "differ", limit: 20 }, { ranged: true });
  const differing = agent?.sessions?.differing_cpus ?? null;
  return (
    <AnswerPanel
      title={t("differing")}
      answer={answer}
      note={
        <>
          {differing !== null && <span>{t("differing_now", { count: number(differing) })}</span>}
          <a href={format({ ...place, view: "sessions", filters: { cpus: "differ" }, after: null })}>{t("show_all")}</a>
        </>
      }
      empty={(page) => (page.sessions.length === 0 ? t("empty_differing") : null)}
    >
      {(page) => <SessionTable title={t("differing")} rows={page.sessions} />}
    </AnswerPanel>
  );
}
