import type { IncomingHttpHeaders } from "node:http";
import * as z from "zod";
import { Problem } from "./problem.ts";

const Claims = z.object({
  sub: z.string().min(1).max(255),
  role: z.enum(["user", "admin"]).default("user"),
  name: z.string().max(200).optional(),
  email: z.string().max(320).optional(),
});

/** Who calls, by the claims of the token. */
export type Caller = z.output<typeof Claims>;

/**
 * Reads the caller from the bearer token. The signature is not checked here: the proxy in front of this process has done so, and refuses
 * a request without a valid token (RequestAuthentication and AuthorizationPolicy in `infra/k8s/istio`).
 *
 * @throws Problem 401 where there is no token that can be read.
 */
export function readCaller(headers: IncomingHttpHeaders): Caller {
  const [scheme, token, ...rest] = (headers.authorization ?? "").split(" ");
  if (scheme?.toLowerCase() !== "bearer" || token === undefined || rest.length > 0) throw unauthorized("a bearer token is needed");
  const payload = token.split(".")[1];
  if (payload === undefined) throw unauthorized("the token is no JWT");
  const claims = Claims.safeParse(parse(payload));
  if (!claims.success) throw unauthorized("the token's claims do not fit");
  return claims.data;
}

function parse(payload: string): unknown {
  try {
    return JSON.parse(Buffer.from(payload, "base64url").toString("utf8"));
  } catch {
    throw unauthorized("the token is no JWT");
  }
}

function unauthorized(detail: string): Problem {
  return new Problem(401, "Unauthorized", { detail });
}
