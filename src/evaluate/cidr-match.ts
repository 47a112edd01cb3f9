import { type Cidr, cidrContains, parseCidr } from "../base/index.ts";
import type { CidrRange } from "../gen/envoy/config/core/v3/address_pb.js";

/** Whether an address lies in a range of Envoy's; no length means a single address there, 0. */
export function inRange({ addressPrefix, prefixLen }: CidrRange, address: string): boolean {
  const range = parseCidr(`${addressPrefix}/${prefixLen ?? 0}`);
  const one = parseCidr(address);
  return range !== undefined && one !== undefined && cidrContains(range, one);
}

export function inAnyRange(ranges: readonly CidrRange[], address: string): boolean {
  return ranges.some((range) => inRange(range, address));
}

const PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8"]
  .map((text) => parseCidr(text))
  .filter((range): range is Cidr => range !== undefined);

/** What Envoy takes for internal where nothing says otherwise: private addresses. */
export function isPrivate(address: string): boolean {
  const one = parseCidr(address);
  return one !== undefined && PRIVATE.some((range) => cidrContains(range, one));
}
