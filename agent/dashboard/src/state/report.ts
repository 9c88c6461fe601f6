// What the report found, as far as the overview shows it. Pure.

/** One finding. */
export interface Insight {
  readonly text: string;
  readonly advice: string;
  readonly severity: "high" | "medium" | "low";
}

const MOST = 12;

/** Reads the findings out of a report; an answer of another shape has none. */
export function readInsights(report: unknown): Insight[] {
  const insights = isRecord(report) ? report["insights"] : null;
  if (!Array.isArray(insights)) {
    return [];
  }
  return insights.filter(isRecord).map(read).filter((insight) => insight.text !== "").slice(0, MOST);
}

function read(insight: Record<string, unknown>): Insight {
  const word = (...names: string[]) =>
    names.map((name) => insight[name]).find((value) => typeof value === "string" && value !== "") ?? "";
  return {
    text: String(word("text", "sentence", "message", "title")),
    advice: String(word("advice", "suggestion", "recommendation")),
    severity: severity(word("severity", "level")),
  };
}

function severity(word: unknown): Insight["severity"] {
  if (word === "high" || word === "critical" || word === "error") {
    return "high";
  }
  return word === "medium" || word === "warning" || word === "warn" ? "medium" : "low";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
