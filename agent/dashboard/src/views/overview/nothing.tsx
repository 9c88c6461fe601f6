// Where the store is empty: how to get something into it, by what serves the page.

import type { Agent, Stats } from "../../api/types";
import { type Answer, useAnswer } from "../../state/answer";
import { t } from "../../words";

/** The hint; nothing where something is stored. */
export function NothingStored({ answer }: { answer: Answer<Stats> }) {
  const empty = answer.data !== null && answer.data.since === null && answer.data.total_requests === 0;
  const agent = useAnswer<Agent>(empty ? "/api/agent" : null, {});
  if (!empty || agent.data === null) {
    return null;
  }
  return (
    <div class="nothing-stored" role="status">
      <p>
        <b>{t("nothing_stored")}</b>
      </p>
      <Ways agent={agent.data} />
    </div>
  );
}

function Ways({ agent }: { agent: Agent }) {
  if (agent.mode === "run") {
    return <Way text={t("nothing_stored_run", { interfaces: agent.interfaces.map(({ name }) => name).join(", ") })} command="curl example.com" />;
  }
  if (agent.mode === "watch") {
    return <p>{t("nothing_stored_watch")}</p>;
  }
  const variables = `TAPLINE_SINKS_API_ENABLED=true TAPLINE_SINKS_API_EXCHANGES=true TAPLINE_SINKS_API_URL=${location.origin}/api`;
  return (
    <>
      <Way text={t("nothing_stored_serve")} command={`sudo ${variables} tapline run --listen off`} />
      <Way text={t("nothing_stored_demo")} command="tapline watch --demo" />
    </>
  );
}

function Way({ text, command }: { text: string; command: string }) {
  return (
    <>
      <p>{text}</p>
      <pre>{command}</pre>
    </>
  );
}
