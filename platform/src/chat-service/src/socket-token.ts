import type { IncomingHttpHeaders } from "node:http";
import { type Caller, Problem, readCaller } from "@platform/service-kit";
import * as z from "zod";
import { PROTOCOL } from "./frames.ts";

/** The whole header, so that this side and the proxy, which looks for `bearer.` in it, can't mean two different tokens. */
const WITH_TOKEN = new RegExp(`^${PROTOCOL.replace(".", "\\.")}, ?bearer\\.([\\w-]+\\.[\\w-]+\\.[\\w-]+)$`);

export interface SocketCaller extends Caller {
  /** When the token ends, and the socket with it: milliseconds since 1970. */
  readonly expiresAt: number;
}

/**
 * Who opens a socket. A program sends the token as `Authorization`; a page can't, and sends it as a second subprotocol,
 * `new WebSocket(url, ["chat.v1", "bearer.<token>"])`: unlike a cookie no other page sends it by accident, and unlike a query it gets into no log.
 *
 * @throws Problem 401 where there is no token that can be read, or two.
 */
export function readSocketCaller(headers: IncomingHttpHeaders): SocketCaller {
  const protocols = headers["sec-websocket-protocol"] ?? "";
  const [, inProtocol] = WITH_TOKEN.exec(protocols) ?? [];
  if (inProtocol === undefined && protocols !== "" && protocols !== PROTOCOL)
    throw unauthorized(`subprotocols are "${PROTOCOL}", or that and a token`);
  if (inProtocol !== undefined && headers.authorization !== undefined) throw unauthorized("one token is needed, not two");
  const authorization = inProtocol === undefined ? headers.authorization : `Bearer ${inProtocol}`;
  const caller = readCaller({ authorization });
  const exp = z.object({ exp: z.number().positive() }).safeParse(claimsOf(authorization ?? ""));
  if (!exp.success) throw unauthorized("the token does not say when it ends");
  return { ...caller, expiresAt: exp.data.exp * 1_000 };
}

/** `readCaller` has seen that this is JSON. */
function claimsOf(authorization: string): unknown {
  return JSON.parse(Buffer.from(authorization.split(".")[1] ?? "", "base64url").toString("utf8"));
}

function unauthorized(detail: string): Problem {
  return new Problem(401, "Unauthorized", { detail });
}
