import { Problem } from "./problem.ts";
import { withClientSpan } from "./tracing.ts";

export interface ServiceCall {
  readonly origin: string;
  /** Already encoded, from the slash on. */
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly timeoutMs?: number;
}

/**
 * Calls another service and returns its JSON. Retries, TLS and the circuit breaker are the mesh's; this side only gives up in time.
 *
 * @throws Problem with the other's status where the caller can do something about it (400 to 499), 504 when it took too long, else 502.
 */
export async function callService(call: ServiceCall): Promise<unknown> {
  return await withClientSpan(`${call.method} ${new URL(call.origin).host}`, call.headers, (headers) => callOnce({ ...call, headers }));
}

async function callOnce(call: ServiceCall): Promise<unknown> {
  const response = await send(call);
  if (response.ok) return response.status === 204 ? undefined : await readJson(response);
  await response.body?.cancel();
  const { status } = response;
  if (status >= 400 && status < 500) throw new Problem(status, titleOf(status), { detail: "refused by the service behind this one" });
  throw new Problem(status === 504 ? 504 : 502, "Bad gateway", { detail: `the service behind this one answered ${status}` });
}

async function send(call: ServiceCall): Promise<Response> {
  try {
    return await fetch(call.origin + call.path, {
      method: call.method,
      headers: { accept: "application/json", ...(call.body !== undefined && { "content-type": "application/json" }), ...call.headers },
      redirect: "error",
      signal: AbortSignal.timeout(call.timeoutMs ?? 10_000),
      ...(call.body !== undefined && { body: JSON.stringify(call.body) }),
    });
  } catch (cause) {
    const late = cause instanceof DOMException && cause.name === "TimeoutError";
    throw new Problem(late ? 504 : 502, late ? "Gateway timeout" : "Bad gateway", {
      detail: "the service behind this one can't be reached",
      cause,
    });
  }
}

async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (cause) {
    throw new Problem(502, "Bad gateway", { detail: "the service behind this one sent no JSON", cause });
  }
}

function titleOf(status: number): string {
  if (status === 401) return "Unauthorized";
  if (status === 403) return "Forbidden";
  if (status === 404) return "Not found";
  return "Refused";
}
