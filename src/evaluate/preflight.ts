import { type HttpMessage, valuesOf } from "./http-message.ts";

/** A browser's question whether a request of another origin would be allowed. */
export function isPreflight(message: HttpMessage): boolean {
  const has = (name: string) => (valuesOf(message, name)[0] ?? "") !== "";
  return message.method === "OPTIONS" && has("origin") && has("access-control-request-method");
}
