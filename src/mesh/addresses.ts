import { formatIpv4 } from "../base/cidr.ts";
import { stableHash } from "../base/stable-hash.ts";

/** Addresses for Kubernetes Services without a `clusterIP`, 10.96.0.0/16, and for ServiceEntry hosts without one, 240.240.0.0/16 (Istio's). */
const FIRST = { kubernetes: 0x0a600000, "service-entry": 0xf0f00000 } as const;
/** The first and the last addresses of the range are left out: network, broadcast and gateway by convention. */
const USABLE = 65_000;
const OFFSET = 256;

/**
 * Gives every name an address of its own. The same names always get the same addresses, and one name more moves another only where both hash to
 * one place. More names than addresses: the last ones get none.
 */
export function allocateAddresses(kind: keyof typeof FIRST, names: Iterable<string>): ReadonlyMap<string, string> {
  const taken = new Set<number>();
  const addresses = new Map<string, string>();
  for (const name of [...new Set(names)].toSorted()) {
    if (taken.size >= USABLE) break;
    let slot = Number.parseInt(stableHash(name).slice(0, 8), 16) % USABLE;
    while (taken.has(slot)) slot = (slot + 1) % USABLE;
    taken.add(slot);
    addresses.set(name, formatIpv4(FIRST[kind] + OFFSET + slot));
  }
  return addresses;
}
