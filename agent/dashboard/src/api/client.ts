// Asking the API: one address, one answer, and what went wrong as the API says it.

/** Why there is no answer. */
export class ApiError extends Error {
  constructor(
    /** The status; 0: the server could not be reached. */
    readonly status: number,
    sentence: string,
  ) {
    super(sentence);
    this.name = "ApiError";
  }
}

/** What is asked for: absent values are left out. */
export type Query = Record<string, string | number | null | undefined>;

/** The address of a resource. */
export function address(path: string, query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") {
      parameters.set(name, String(value));
    }
  }
  const text = parameters.toString();
  return text === "" ? path : `${path}?${text}`;
}

/** Asks for a resource and gives its JSON. Throws [ApiError]. */
export async function ask<Answer>(url: string, signal?: AbortSignal): Promise<Answer> {
  const response = await reach(url, { signal: signal ?? null, headers: { Accept: "application/json" } });
  if (!response.ok) {
    throw new ApiError(response.status, await reason(response));
  }
  try {
    return (await response.json()) as Answer;
  } catch (error) {
    throw isAbort(error) ? error : new ApiError(response.status, "not JSON");
  }
}

/** Sends a POST with JSON, and wants no answer. Throws [ApiError]. */
export async function post(url: string, body: unknown): Promise<void> {
  const headers = { "Content-Type": "application/json" };
  const response = await reach(url, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) {
    throw new ApiError(response.status, await reason(response));
  }
}

/** Whether an error only says that nobody waits for the answer any more. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

async function reach(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, credentials: "same-origin", redirect: "error", cache: "no-store" });
  } catch (error) {
    throw isAbort(error) ? error : new ApiError(0, "");
  }
}

/** The sentence of a refusal: `{"detail": "…"}`, or a list of what is wrong with parameters. */
async function reason(response: Response): Promise<string> {
  try {
    return sentence(await response.json()) || response.statusText;
  } catch {
    return response.statusText;
  }
}

/** Reads the sentence out of the body of a refusal. */
export function sentence(body: unknown): string {
  const detail = isRecord(body) ? body["detail"] : undefined;
  if (typeof detail === "string") {
    return detail;
  }
  if (!Array.isArray(detail)) {
    return "";
  }
  const said = detail.filter(isRecord).map((one) => {
    const place = Array.isArray(one["loc"]) ? one["loc"].slice(1).join(".") : "";
    return [place, one["msg"]].filter((part) => typeof part === "string" && part !== "").join(": ");
  });
  return said.join("; ");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
