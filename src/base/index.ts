/** Words without a domain: pure functions and tables that know nothing of meshes. */
export { type Cidr, cidrContains, formatIpv4, isIp, isIpv4Loopback, isLoopback, parseCidr, parseIp } from "./cidr.ts";
export { didYouMean } from "./did-you-mean.ts";
export { formatDuration, parseDuration } from "./duration.ts";
export {
  HostTable,
  compareHostSpecificity,
  findMostSpecificHost,
  hostMatches,
  hostsIntersect,
  intersectHosts,
  isWildcardHost,
} from "./host-match.ts";
export { canonicalJson, hashBytes, stableHash } from "./stable-hash.ts";
