// What the report found, as far as the overview shows it. Pure.

import { dayAndTime, localHour } from "../format";

/** One finding. */
export interface Insight {
  readonly title: string;
  readonly text: string;
  readonly advice: string;
  readonly severity: "high" | "medium" | "low";
}

/** From the first request that it is about to the last. */
export interface Covered {
  readonly from: string;
  readonly to: string;
}

/** Reads the time that a report is about; null: it has none. */
export function readCovered(report: unknown): Covered | null {
  const covered = isRecord(report) ? report["covered"] : null;
  if (!isRecord(covered) || typeof covered["from"] !== "string" || typeof covered["to"] !== "string") {
    return null;
  }
  return { from: covered["from"], to: covered["to"] };
}

/** What is shown at most. */
const MOST = 12;

const SEVERITIES = new Map<string, Insight["severity"]>([["critical", "high"], ["warning", "medium"]]);

/** Reads the findings out of a report; an answer of another shape has none. */
export function readInsights(report: unknown): Insight[] {
  const insights = isRecord(report) ? report["insights"] : null;
  if (!Array.isArray(insights)) {
    return [];
  }
  return insights.filter(isRecord).map(read).filter((insight) => insight.text !== "").slice(0, MOST);
}

function read(insight: Record<string, unknown>): Insight {
  const word = (name: string) => {
    const value = insight[name];
    return typeof value === "string" ? value : "";
  };
  return {
    title: word("title"),
    text: local(word("text"), insight),
    advice: word("advice"),
    severity: SEVERITIES.get(word("severity")) ?? "low",
  };
}

/** Puts times of the browser's zone in the place of those of UTC. */
function local(text: string, insight: Record<string, unknown>): string {
  let shown = text;
  for (const name of ["from", "to"]) {
    const time = insight[name];
    if (typeof time === "string") {
      shown = shown.replaceAll(time.slice(0, 19).replace("T", " "), () => dayAndTime(time));
    }
  }
  const subject = insight["subject"];
  if (isRecord(subject) && subject["what"] === "hour" && typeof subject["value"] === "number") {
    const hour = localHour(subject["value"], new Date());
    const twoDigits = (value: number) => `${String(value).padStart(2, "0")}:00`;
    if (hour !== null) {
      shown = shown.replace(twoDigits(subject["value"]), () => twoDigits(hour));
      shown = shown.replace(`${subject["value"]}시`, () => `${hour}시`);
    }
  }
  return shown;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
