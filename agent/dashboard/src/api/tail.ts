// The live tail: exchanges as they come, filtered by the server, over a WebSocket.

import type { Filters } from "../state/fields";
import type { Exchange } from "./types";

/** What the server sends. */
export type TailMessage =
  | { readonly kind: "rows"; readonly exchanges: Exchange[]; readonly skipped: number }
  | { readonly kind: "error"; readonly sentence: string };

/** Reads a message; null: it is none. */
export function readMessage(text: string): TailMessage | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) {
    return null;
  }
  const message = value as { exchanges?: unknown; skipped?: unknown; error?: unknown };
  if (typeof message.error === "string") {
    return { kind: "error", sentence: message.error };
  }
  if (!Array.isArray(message.exchanges)) {
    return null;
  }
  const skipped = typeof message.skipped === "number" ? message.skipped : 0;
  return { kind: "rows", exchanges: message.exchanges as Exchange[], skipped };
}

/** The newest first, at most `most`. */
export function prepend(rows: readonly Exchange[], come: readonly Exchange[], most: number): Exchange[] {
  return [...come].reverse().concat(rows.slice(0, Math.max(0, most - come.length))).slice(0, most);
}

/** What a tail tells. */
export interface TailListener {
  message(message: TailMessage): void;
  connected(is: boolean): void;
}

/** A connection that opens itself again. */
export class Tail {
  private socket: WebSocket | null = null;
  private again: ReturnType<typeof setTimeout> | null = null;
  private failures = 0;
  private wanted = "";

  constructor(
    private readonly url: string,
    private readonly listener: TailListener,
  ) {}

  /** What is wanted from now on. */
  want(filter: Filters, paused: boolean): void {
    this.wanted = JSON.stringify({ filter, paused });
    if (this.socket?.readyState === WebSocket.OPEN) {
      this.socket.send(this.wanted);
    }
  }

  open(): void {
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.addEventListener("open", () => {
      this.listener.connected(true);
      socket.send(this.wanted);
    });
    socket.addEventListener("message", (event) => {
      const message = typeof event.data === "string" ? readMessage(event.data) : null;
      if (message !== null) {
        this.failures = 0;
        this.listener.message(message);
      }
    });
    socket.addEventListener("close", () => {
      if (this.socket !== socket) {
        return;
      }
      this.listener.connected(false);
      this.failures += 1;
      const pause = Math.min(15_000, 500 * 2 ** Math.min(this.failures, 6)) * (0.5 + Math.random() / 2);
      this.again = setTimeout(() => this.open(), pause);
    });
  }

  close(): void {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    if (this.again !== null) {
      clearTimeout(this.again);
      this.again = null;
    }
  }
}

/** The address of a WebSocket of this server. */
export function socketAddress(path: string, here: Location): string {
  return `${here.protocol === "https:" ? "wss:" : "ws:"}//${here.host}${path}`;
}
