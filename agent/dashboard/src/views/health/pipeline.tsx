// The account as a picture: each stage with what came in, and what left it on the way.

import type { Ledger } from "../../api/types";
import { bytes, number } from "../../format";
import { t } from "../../words";

/** One stage. */
interface Stage {
  readonly name: string;
  readonly count: number;
  /** More about what goes on. */
  readonly also?: string;
  /** What leaves here, with whether it is a loss. */
  readonly leaves: readonly { readonly name: string; readonly count: number; readonly loss: boolean }[];
}

/** The picture. */
export function Pipeline({ ledger }: { ledger: Ledger }) {
  return (
    <ol class="pipeline">
      {stages(ledger).map((stage) => (
        <li key={stage.name} class="stage">
          <div class="box">
            <span class="name">{stage.name}</span>
            <b>{number(stage.count)}</b>
            {stage.also !== undefined && <small>{stage.also}</small>}
          </div>
          <ul class="leaves">
            {stage.leaves.map((leaf) => (
              <li key={leaf.name} class={leaf.loss ? (leaf.count > 0 ? "loss" : "no-loss") : ""}>
                <span>{leaf.name}</span> <b>{number(leaf.count)}</b>
              </li>
            ))}
          </ul>
        </li>
      ))}
    </ol>
  );
}

/** The stages that this account has: a back end captures nothing. */
function stages(ledger: Ledger): Stage[] {
  const found: Stage[] = [];
  const { records, heads, sessions, exchanges, lines, api } = ledger;
  if (ledger.packets !== undefined) {
    found.push({
      name: t("stage_packets"),
      count: ledger.packets,
      also: bytes(ledger.bytes),
      leaves: [
        { name: t("leaf_ignored"), count: sum(ledger.ignored), loss: false },
        ...(sessions === undefined
          ? []
          : [
              { name: t("leaf_sessions"), count: sessions.begun, loss: false },
              { name: t("leaf_left_out"), count: sessions.packets_left_out, loss: true },
            ]),
      ],
    });
  }
  if (records !== undefined) {
    const { ring = 0, ...otherwise } = records.lost;
    found.push({
      name: t("stage_records"),
      count: records.numbered,
      leaves: [
        { name: t("leaf_ring"), count: ring, loss: true },
        { name: t("leaf_otherwise"), count: sum(otherwise), loss: true },
      ],
    });
  }
  if (heads !== undefined) {
    found.push({
      name: t("stage_heads"),
      count: heads.found,
      leaves: [
        { name: t("leaf_copies"), count: heads.copies, loss: false },
        { name: t("leaf_look_alikes"), count: heads.look_alikes, loss: false },
        { name: t("leaf_partial"), count: heads.partial, loss: true },
      ],
    });
  }
  if (exchanges !== undefined) {
    found.push({
      name: t("stage_exchanges"),
      count: exchanges["answered"] ?? 0,
      leaves: [
        { name: t("leaf_unanswered"), count: exchanges["unanswered"] ?? 0, loss: false },
        { name: t("leaf_orphans"), count: exchanges["orphans"] ?? 0, loss: false },
        { name: t("leaf_open"), count: (exchanges["open_requests"] ?? 0) + (exchanges["open_responses"] ?? 0), loss: false },
      ],
    });
  }
  if (lines !== undefined && lines.accepted > 0) {
    found.push({
      name: t("stage_lines"),
      count: lines.stored,
      leaves: [
        { name: t("leaf_queued"), count: lines.queued, loss: false },
        { name: t("leaf_lost"), count: lines.lost, loss: true },
      ],
    });
  }
  // Beside a capture it is a way in of its own, where somebody takes it.
  if (api !== undefined && (api.requests > 0 || ledger.packets === undefined)) {
    found.push({
      name: t("stage_api"),
      count: api.requests,
      leaves: [
        { name: t("leaf_taken"), count: api.taken, loss: false },
        { name: t("leaf_refused"), count: sum(api.refused), loss: false },
        { name: t("leaf_abandoned"), count: api.abandoned, loss: false },
      ],
    });
  }
  for (const [name, sink] of Object.entries(ledger.sinks ?? {})) {
    found.push({
      name: t("stage_sink", { name }),
      count: sink.stored,
      leaves: [
        { name: t("leaf_queued"), count: sink.queued, loss: false },
        { name: t("leaf_spooled"), count: sink.spooled, loss: false },
        { name: t("leaf_lost"), count: sink.lost, loss: true },
      ],
    });
  }
  return found;
}

/** What must be equal, and whether it is. */
export function Identities({ ledger }: { ledger: Ledger }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={t("identities")}>
      <table class="identities">
        <thead>
          <tr>
            <th scope="col">{t("identity")}</th>
            <th scope="col" class="num">
              {t("left")}
            </th>
            <th scope="col" class="num">
              {t("right")}
            </th>
            <th scope="col" class="num">
              {t("in_flight")}
            </th>
            <th scope="col">{t("holds")}</th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(ledger.identities).map(([name, identity]) => (
            <tr key={name}>
              <th scope="row" class="says">
                {name} <small>{identity.says}</small>
              </th>
              <td class="num">{number(identity.left)}</td>
              <td class="num">{number(identity.right)}</td>
              <td class="num">{number(identity.in_flight)}</td>
              <td class={identity.holds ? "good" : "bad"}>{identity.holds ? t("yes") : t("no")}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function sum(counts: Record<string, number> | undefined): number {
  return Object.values(counts ?? {}).reduce((total, count) => total + count, 0);
}
