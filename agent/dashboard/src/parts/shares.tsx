// Shares of a whole as bars: longer is more, and the number stands beside.

import type { ComponentChildren } from "preact";

import { number, percent } from "../format";

/** One share. */
export interface Share {
  readonly key: string;
  readonly label: ComponentChildren;
  readonly count: number;
  /** A colour of the style sheet, `s2` for a status. */
  readonly tone?: string;
}

/** A list of shares of their sum. */
export function Shares({ shares, of }: { shares: readonly Share[]; of?: number }) {
  const total = of ?? shares.reduce((sum, share) => sum + share.count, 0);
  const most = Math.max(1, ...shares.map((share) => share.count));
  return (
    <ul class="shares">
      {shares.map((share) => (
        <li key={share.key}>
          <span class="label">{share.label}</span>
          <span class="bar" aria-hidden="true">
            <span class={share.tone ?? ""} style={{ width: `${(100 * share.count) / most}%` }} />
          </span>
          <span class="count">{number(share.count)}</span>
          <span class="share">{percent(total > 0 ? (100 * share.count) / total : null)}</span>
        </li>
      ))}
    </ul>
  );
}
