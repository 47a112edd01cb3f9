import { isIp, parseCidr } from "../../base/cidr.ts";
import { escapeRegex, type StringMatch } from "../../ir/match.ts";

/** Any text of one character or more: what a lone `*` asks for. */
export const PRESENT: StringMatch = { kind: "regex", value: ".+" };

/** Istio's value: exact, `abc*`, `*abc`, or `*` for presence. A `*` elsewhere is an ordinary character. */
export function toStringMatch(value: string): StringMatch {
  if (value === "*") return PRESENT;
  if (value.startsWith("*")) return { kind: "suffix", value: value.slice(1) };
  if (value.endsWith("*")) return { kind: "prefix", value: value.slice(0, -1) };
  return { kind: "exact", value };
}

/** A path; `{*}` stands for one segment and `{**}` for any rest (Istio's templates). */
export function toPathMatch(value: string): StringMatch {
  if (!/\{\*\*?\}/.test(value)) return toStringMatch(value);
  const pattern = value.split(/(\{\*\*?\})/).map((part) => (part === "{*}" ? "[^/]+" : part === "{**}" ? ".*" : escapeRegex(part)));
  return { kind: "regex", value: pattern.join("") };
}

/** A namespace; a `*` in the middle counts too (Istio's rule for namespaces alone). */
export function toNamespaceMatch(value: string): StringMatch {
  if (value === "*") return { kind: "regex", value: "[^/]+" };
  if (!value.slice(1, -1).includes("*")) return toStringMatch(value);
  return { kind: "regex", value: value.split("*").map(escapeRegex).join("[^/]*") };
}

/**
 * `domain/ns/NAMESPACE/sa/ACCOUNT` as the SPIFFE ids that it stands for. `cluster.local`, the mesh's own trust domain and its aliases are one and the
 * same. A leading `*` matches within SPIFFE ids only.
 */
export function toPrincipalMatches(value: string, trustDomains: readonly string[]): readonly StringMatch[] {
  if (value === "*") return [{ kind: "prefix", value: "spiffe://" }];
  if (value.startsWith("*")) return [{ kind: "regex", value: `spiffe://.*${escapeRegex(value.slice(1))}` }];
  const slash = value.indexOf("/");
  const domain = slash === -1 ? value : value.slice(0, slash);
  const isOwn = slash !== -1 && (domain === "cluster.local" || trustDomains.includes(domain));
  const ids = isOwn ? trustDomains.map((own) => `${own}${value.slice(slash)}`) : [value];
  return ids.map((id) => toStringMatch(`spiffe://${id}`));
}

/** `ACCOUNT` of the policy's own namespace, or `NAMESPACE/ACCOUNT`, in whatever trust domain the connection was checked against. */
export function toServiceAccountMatch(value: string, ownNamespace: string): StringMatch {
  const slash = value.indexOf("/");
  const [namespace, account] = slash === -1 ? [ownNamespace, value] : [value.slice(0, slash), value.slice(slash + 1)];
  return { kind: "regex", value: `spiffe://[^/]+/ns/${escapeRegex(namespace)}/sa/${escapeRegex(account)}` };
}

/** An address or a range in CIDR form; undefined for anything else. */
export function toCidr(value: string): string | undefined {
  if (isIp(value)) return value;
  return parseCidr(value) === undefined ? undefined : value;
}

export function toPort(value: string): number | undefined {
  const port = Number(value);
  return /^\d{1,5}$/.test(value) && port > 0 && port < 65_536 ? port : undefined;
}
