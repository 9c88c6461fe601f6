// Health: the account as a picture of the pipeline, the sinks, the last selftest, the program itself.

import type { Agent, Ledger, SelfTest } from "../api/types";
import { bytes, dayAndTime, number, percent, short, span } from "../format";
import { AnswerPanel, Panel } from "../parts/panel";
import { Text } from "../parts/value";
import { useAgent } from "../state/agent";
import { useAnswer } from "../state/answer";
import { usePulse } from "../state/pulse";
import { named, t } from "../words";
import { Identities, Pipeline } from "./health/pipeline";
import { Sinks } from "./health/sinks";

/** The view. */
export function HealthView() {
  const agent = useAgent();
  const pulse = usePulse(3);
  const ledger = useAnswer<Ledger>("/api/ledger", {}, { pulse });
  return (
    <>
      <AnswerPanel title={t("health_state")} answer={agent.answer}>
        {(found) => <State agent={found} before={agent.before} />}
      </AnswerPanel>
      <AnswerPanel title={t("pipeline")} answer={ledger} note={t("since_start")}>
        {(found) => <Pipeline ledger={found} />}
      </AnswerPanel>
      <Sinks agent={agent.answer} />
      <div class="grid halves">
        <AnswerPanel title={t("identities")} answer={ledger}>
          {(found) => <Identities ledger={found} />}
        </AnswerPanel>
        <div class="stacked">
          <SelfTestPanel selftest={agent.answer.data?.selftest ?? null} />
          <Programs agent={agent.answer.data} before={agent.before} />
          <Reasons ledger={ledger.data} />
        </div>
      </div>
    </>
  );
}

function viewers({ viewers }: Agent): string {
  if (viewers === undefined) {
    return number(null);
  }
  const count = number(viewers.sse + viewers.websocket);
  return viewers.stalled > 0 ? t("viewers_left", { count, left: number(viewers.stalled) }) : count;
}

function State({ agent, before }: { agent: Agent; before: Agent | null }) {
  const { health, process } = agent;
  const seconds = before === null ? 0 : (Date.parse(agent.now) - Date.parse(before.now)) / 1000;
  const busy =
    process && before?.process && seconds > 0
      ? (100 * (process.cpu_seconds - before.process.cpu_seconds)) / seconds
      : null;
  const facts: [string, string][] = [
    [t("mode"), named("mode", agent.mode)],
    [t("version"), agent.version],
    [t("running_since"), `${dayAndTime(agent.started)} (${span((Date.parse(agent.now) - Date.parse(agent.started)) / 1000)})`],
    [t("own_cpu"), busy === null ? number(null) : t("of_a_core", { share: percent(busy) })],
    [t("own_memory"), bytes(process?.resident_bytes)],
    [t("viewers"), viewers(agent)],
  ];
  return (
    <div class="state">
      <p class={`health ${health.state}`}>
        <b>{named("health", health.state)}</b>
        {health.since !== null && health.since !== undefined && (
          <span class="soft"> {t("since", { since: dayAndTime(health.since) })}</span>
        )}
      </p>
      {health.reasons.length > 0 && (
        <ul>
          {health.reasons.map((reason) => (
            <li key={reason}>{named("reason", reason)}</li>
          ))}
        </ul>
      )}
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        {agent.interfaces.length > 0 && (
          <div>
            <dt>{t("interfaces")}</dt>
            <dd>
              {agent.interfaces.map((one) => (
                <span key={one.name} class="tag">
                  <Text text={one.name} /> {one.hook !== null && <small>{one.hook}</small>}
                </span>
              ))}
            </dd>
          </div>
        )}
      </dl>
    </div>
  );
}

function SelfTestPanel({ selftest }: { selftest: SelfTest | null }) {
  return (
    <Panel title={t("selftest")}>
      {selftest === null ? (
        <p class="empty">{t("empty_selftest")}</p>
      ) : (
        <>
          <p class={`health ${selftest.passed ? "healthy" : "degraded"}`}>
            <b>{selftest.passed ? t("passed") : t("not_passed")}</b>
            <span class="soft"> {dayAndTime(selftest.at)}</span>
          </p>
          <dl class="facts">
            <div>
              <dt>{t("recall")}</dt>
              <dd>{percent(100 * selftest.recall)}</dd>
            </div>
            <div>
              <dt>{t("precision")}</dt>
              <dd>{percent(100 * selftest.precision)}</dd>
            </div>
            <div>
              <dt>{t("heads_sent_written")}</dt>
              <dd>
                {number(selftest.sent)} / {number(selftest.written)}
              </dd>
            </div>
            <div>
              <dt>{t("hooks")}</dt>
              <dd>{selftest.hooks.join(", ")}</dd>
            </div>
          </dl>
        </>
      )}
    </Panel>
  );
}

function Programs({ agent, before }: { agent: Agent | null; before: Agent | null }) {
  const programs = agent?.programs ?? [];
  return (
    <Panel title={t("programs")}>
      {programs.length === 0 ? (
        <p class="empty">{agent?.mode === "run" ? t("empty_programs_off") : t("empty_programs")}</p>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">{t("program")}</th>
              <th scope="col" class="num">
                {t("runs")}
              </th>
              <th scope="col" class="num">
                {t("ns_a_packet")}
              </th>
              <th scope="col" class="num">
                {t("ns_now")}
              </th>
            </tr>
          </thead>
          <tbody>
            {programs.map((program) => {
              const then = before?.programs?.find((one) => one.name === program.name);
              const runs = program.runs - (then?.runs ?? program.runs);
              const spent = program.ns - (then?.ns ?? program.ns);
              return (
                <tr key={program.name}>
                  <th scope="row">{program.name}</th>
                  <td class="num">{short(program.runs)}</td>
                  <td class="num">{program.runs > 0 ? `${number(program.ns / program.runs)} ns` : number(null)}</td>
                  <td class="num">{runs > 0 ? `${number(spent / runs)} ns` : number(null)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

/** Why packets were not looked into, and why records were lost. */
function Reasons({ ledger }: { ledger: Ledger | null }) {
  const lists = [
    [t("ignored_by"), ledger?.ignored],
    [t("lost_by"), ledger?.records?.lost],
  ] as const;
  const told = lists.map(([title, counts]) => ({
    title,
    rows: Object.entries(counts ?? {}).filter(([, count]) => count > 0),
  }));
  if (ledger === null || ledger.packets === undefined) {
    return null;
  }
  return (
    <Panel title={t("reasons")}>
      <dl class="facts">
        {told.flatMap(({ title, rows }) =>
          rows.length === 0
            ? [
                <div key={title}>
                  <dt>{title}</dt>
                  <dd>{t("nothing")}</dd>
                </div>,
              ]
            : rows.map(([reason, count]) => (
                <div key={`${title} ${reason}`}>
                  <dt>
                    {title}: {reason}
                  </dt>
                  <dd>{number(count)}</dd>
                </div>
              )),
        )}
      </dl>
    </Panel>
  );
}
