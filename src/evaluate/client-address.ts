import { isIp } from "../base/index.ts";
import type { HttpConnectionManager } from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { inAnyRange, isPrivate } from "./cidr-match.ts";
import { type HttpMessage, valueOf, withGenerated, withHeader } from "./http-message.ts";
import { Undecidable } from "./undecidable.ts";

export interface Client {
  readonly message: HttpMessage;
  /** Who sent the request, as far as trusted hops say. */
  readonly remote: string;
  readonly isInternal: boolean;
}

const XFF = "x-forwarded-for";

/** Who the client is, and what X-Forwarded-For says from here on. */
export function identifyClient(manager: HttpConnectionManager, message: HttpMessage, source: string): Client {
  if (manager.originalIpDetectionExtensions.length > 0) throw new Undecidable("original IP detection extensions");
  const { xffNumTrustedHops: hops, useRemoteAddress = false, skipXffAppend } = manager;
  const claimed = valueOf(message, XFF);
  const alone = claimed !== undefined && !claimed.includes(",");
  if (useRemoteAddress) {
    const remote = (hops > 0 ? addressAt(claimed, hops - 1) : undefined) ?? source;
    const appended = skipXffAppend ? message : withSource(message, claimed, source);
    const internal = claimed === undefined && isInternal(manager, source);
    return { message: internal ? appended : withHeader(appended, "x-envoy-external-address", remote), remote, isInternal: internal };
  }
  const trusted = addressAt(claimed, hops);
  return { message, remote: trusted ?? source, isInternal: alone && trusted !== undefined && isInternal(manager, trusted) };
}

/** For a client on its own machine Envoy names an address of the machine's choosing. */
function withSource(message: HttpMessage, claimed: string | undefined, source: string): HttpMessage {
  if (source.startsWith("127.") || source === "::1") return withGenerated(message, XFF);
  return withHeader(message, XFF, claimed === undefined || claimed === "" ? source : `${claimed},${source}`);
}

/** The address that many places from the right; undefined where there are fewer or it is none. */
function addressAt(list: string | undefined, fromRight: number): string | undefined {
  const text = list
    ?.split(",")
    .at(-1 - fromRight)
    ?.trim();
  return text !== undefined && isIp(text) ? text : undefined;
}

function isInternal({ internalAddressConfig }: HttpConnectionManager, address: string): boolean {
  return internalAddressConfig === undefined ? isPrivate(address) : inAnyRange(internalAddressConfig.cidrRanges, address);
}
