import { escapeRegex, type StringMatch } from "../../ir/match.ts";

/** A text of one character or more. */
const PRESENT: StringMatch = { kind: "regex", value: ".+" };

/**
 * The host itself, with a port or a final dot or without, whatever its case (`Secret.com`, `secret.com:80`, `secret.com.`). What names a port is
 * compared as it is. Patterns only where a wildcard leaves no other way.
 */
export function hostMatches(host: StringMatch): readonly StringMatch[] {
  if (host.kind === "regex") return [host];
  const same = { ...host, ignoreCase: true };
  if (/:\d+$/.test(host.value) || (host.kind !== "exact" && host.kind !== "suffix")) return [same];
  const dotted = { ...same, value: `${host.value}.` };
  if (host.kind === "suffix") return [same, dotted, { kind: "regex", value: `(?i).*${escapeRegex(host.value)}${String.raw`\.?:[0-9]+`}` }];
  return [same, dotted, ...[":", ".:"].map((end) => ({ kind: "prefix", value: `${host.value}${end}`, ignoreCase: true }) as const)];
}

/** The identities of a namespace in whatever trust domain: the connection has been checked against those that are trusted. */
export function namespaceRegex(namespace: StringMatch): StringMatch {
  return { kind: "regex", value: `spiffe://[^/]+/ns/${segment(namespace)}/sa/[^/]+` };
}

/** One path segment that a match allows. */
export function segment(match: StringMatch): string {
  switch (match.kind) {
    case "exact":
      return escapeRegex(match.value);
    case "prefix":
      return `${escapeRegex(match.value)}[^/]*`;
    case "suffix":
      return `[^/]*${escapeRegex(match.value)}`;
    case "contains":
      return `[^/]*${escapeRegex(match.value)}[^/]*`;
    case "regex":
      return match.value;
  }
}

/** `issuer/subject`, split at the last slash because issuers are URLs (Istio's rule); the side that a `*` leaves open must only be there. */
export function requestPrincipalClaims(value: StringMatch): { readonly issuer: StringMatch; readonly subject: StringMatch } {
  const text = value.value;
  const slash = text.lastIndexOf("/");
  const [before, after] = slash === -1 ? [text, ""] : [text.slice(0, slash), text.slice(slash + 1)];
  switch (value.kind) {
    case "exact":
      return { issuer: { kind: "exact", value: before }, subject: { kind: "exact", value: after } };
    case "prefix":
      return slash === -1
        ? { issuer: { kind: "prefix", value: text }, subject: PRESENT }
        : { issuer: { kind: "exact", value: before }, subject: orPresent({ kind: "prefix", value: after }) };
    case "suffix":
      return slash === -1
        ? { issuer: PRESENT, subject: { kind: "suffix", value: text } }
        : { issuer: orPresent({ kind: "suffix", value: before }), subject: { kind: "exact", value: after } };
    default:
      return { issuer: PRESENT, subject: PRESENT };
  }
}

function orPresent(match: StringMatch): StringMatch {
  return match.value === "" ? PRESENT : match;
}
