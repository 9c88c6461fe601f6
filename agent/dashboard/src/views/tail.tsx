// The live tail: exchanges as they come, until one pauses.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { Tail, type TailMessage, prepend, socketAddress } from "../api/tail";
import type { Exchange } from "../api/types";
import { number } from "../format";
import { Panel } from "../parts/panel";
import { OF_EXCHANGES, applying } from "../state/fields";
import { useShell } from "../state/shell";
import { t } from "../words";
import { ExchangeTable } from "./exchanges";

/** Rows that are kept. */
const KEPT = 300;

/** The view. */
export function TailView() {
  const { place, freshness } = useShell();
  const filters = applying(place.filters, OF_EXCHANGES);
  const wanted = JSON.stringify(filters);
  const pausedByPage = freshness.kind === "paused";
  const [stopped, setStopped] = useState(false);
  const paused = stopped || pausedByPage;
  const [rows, setRows] = useState<Exchange[]>([]);
  const [skipped, setSkipped] = useState(0);
  const [failure, setFailure] = useState<string | null>(null);
  const [connected, setConnected] = useState(false);
  // What was on its way when it was paused is not shown.
  const isPaused = useRef(paused);
  isPaused.current = paused;

  const tail = useMemo(
    () =>
      new Tail(socketAddress("/ws/live", location), {
        connected: setConnected,
        message: (message: TailMessage) => {
          if (message.kind === "error") {
            setFailure(message.sentence);
          } else if (!isPaused.current) {
            setFailure(null);
            setSkipped((before) => before + message.skipped);
            setRows((before) => prepend(before, message.exchanges, KEPT));
          }
        },
      }),
    [],
  );
  useEffect(() => {
    tail.open();
    return () => tail.close();
  }, []);
  // The filter that it opened with is in the first message already: another one begins anew.
  const first = useRef(true);
  useEffect(() => {
    if (!first.current) {
      setRows([]);
      setSkipped(0);
    }
    first.current = false;
    setFailure(null);
  }, [wanted]);
  useEffect(() => tail.want(filters, paused), [wanted, paused]);

  const state = !connected ? t("tail_connecting") : paused ? t("tail_paused") : t("tail_runs");
  return (
    <Panel
      title={t("view_tail")}
      class="whole"
      note={
        <>
          <span role="status" class={`tail-state ${!connected ? "off" : paused ? "paused" : "on"}`}>
            {state}
          </span>
          <span>{t("tail_rows", { count: number(rows.length) })}</span>
          {skipped > 0 && <span>{t("tail_skipped", { count: number(skipped) })}</span>}
          <button type="button" aria-pressed={stopped} onClick={() => setStopped(!stopped)} disabled={pausedByPage}>
            {paused ? t("resume") : t("pause")}
          </button>
          <button type="button" onClick={() => setRows([])}>
            {t("clear")}
          </button>
        </>
      }
    >
      {failure !== null && (
        <p class="failure" role="alert">
          {failure}
        </p>
      )}
      {rows.length === 0 ? (
        <p class="empty">{paused ? t("empty_tail_paused") : t("empty_live")}</p>
      ) : (
        <ExchangeTable title={t("view_tail")} rows={rows} />
      )}
    </Panel>
  );
}
