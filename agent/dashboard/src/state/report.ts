// What the report found, as far as the overview shows it. Pure.

/** One finding. */
export interface Insight {
  readonly title: string;
  readonly text: string;
  readonly advice: string;
  readonly severity: "high" | "medium" | "low";
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
    text: word("text"),
    advice: word("advice"),
    severity: SEVERITIES.get(word("severity")) ?? "low",
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
