import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { JwtAuthentication, JwtProvider, JwtRequirement } from "../gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js";
import { encodeBase64Url } from "./base64url.ts";
import type { MeshView } from "./decision.ts";
import { type HttpMessage, valuesOf, withLine, withoutHeaders } from "./http-message.ts";
import { isPreflight } from "./preflight.ts";
import { firstFailure } from "./route-match.ts";
import { lowerAscii } from "./string-match.ts";
import { type Found, tokensOf, withoutToken } from "./token-places.ts";
import { checkToken, readToken, type Token, type TokenStatus } from "./token.ts";
import { Undecidable } from "./undecidable.ts";

interface Verified {
  readonly name: string;
  readonly provider: JwtProvider;
  readonly token: Token;
}

type Verdict =
  | { readonly status: "ok"; readonly verified: readonly Verified[] }
  | { readonly status: Exclude<TokenStatus, "ok">; readonly provider: string | undefined; readonly trouble?: string };

export type Authenticated =
  | {
      readonly kind: "passed";
      readonly message: HttpMessage;
      readonly payloads: JsonObject;
      readonly clearsRoute: boolean;
      readonly detail: string;
      readonly provider?: string | undefined;
    }
  | {
      readonly kind: "refused";
      readonly status: 401 | 403;
      readonly detail: string;
      readonly provider: string | undefined;
      readonly challenge: string;
      /** What Envoy answers with. */
      readonly text: string;
    };

interface Asked {
  readonly config: JwtAuthentication;
  readonly message: HttpMessage;
  readonly view: MeshView;
  readonly nowMs: number;
  /** What happens in the course of it, in order. */
  readonly log: Event[];
}

/** A provider begins: the headers that it writes are taken off, whoever wrote them. Or it has found a good token. */
type Event = { readonly begins: JwtProvider } | { readonly found: Verified };

/** The filter `jwt_authn`: which tokens it finds, whether they are good, and what it changes in the request. */
export function authenticate(config: JwtAuthentication, message: HttpMessage, view: MeshView, nowMs: number): Authenticated {
  const untouched = { kind: "passed", message, payloads: {}, clearsRoute: false } as const;
  if (config.bypassCorsPreflight && isPreflight(message)) return { ...untouched, detail: "a CORS preflight needs no token" };
  if (config.filterStateRules !== undefined) throw new Undecidable("jwt_authn rules by filter state");
  const rule = config.rules.find(({ match }) => firstFailure(match, message) === undefined);
  if (rule === undefined) return { ...untouched, detail: "no rule asks for a token" };
  const requirement = requirementOf(config, rule.requirementType);
  if (requirement === undefined) return { ...untouched, detail: "the rule asks for no token" };
  const log: Event[] = [];
  const verdict = verify(requirement, { config, message, view, nowMs, log });
  if (verdict.status !== "ok") {
    const status = verdict.status === "audience" ? 403 : 401;
    const error = verdict.status === "missing" ? "" : ', error="invalid_token"';
    const challenge = `Bearer realm="${originalUri(message)}"${error}`;
    const text = verdict.trouble ?? REFUSALS[verdict.status];
    return { kind: "refused", status, detail: `token refused: ${verdict.status}`, provider: verdict.provider, challenge, text };
  }
  return { kind: "passed", ...applied(log, verdict.verified, message) };
}

/** The texts of Envoy's JWT library. */
const REFUSALS: Readonly<Record<Exclude<TokenStatus, "ok">, string>> = {
  missing: "Jwt is missing",
  "unknown-issuer": "Jwt issuer is not configured",
  // What is bad is said.
  "bad-format": "Jwt ",
  "not-yet-valid": "Jwt not yet valid",
  expired: "Jwt is expired",
  audience: "Audiences in Jwt are not allowed",
  "no-key": "Jwks doesn't have key to match kid or alg from Jwt",
  "bad-signature": "Jwt verification fails",
};

const LONGEST_PATH = 256;

/** What the client asked for, before any proxy changed the path. */
function originalUri(message: HttpMessage): string {
  const path = valuesOf(message, "x-envoy-original-path")[0] ?? message.path;
  return `${message.scheme}://${message.authority}${path.slice(0, LONGEST_PATH)}`;
}

function requirementOf({ requirementMap }: JwtAuthentication, type: JwtAuthentication["rules"][number]["requirementType"]) {
  if (type.case === "requires") return type.value;
  return type.case === "requirementName" ? requirementMap[type.value] : undefined;
}

function ownHeaders({ forwardPayloadHeader, claimToHeaders }: JwtProvider): readonly string[] {
  return [forwardPayloadHeader, ...claimToHeaders.map(({ headerName }) => headerName)].filter((name) => name !== "").map(lowerAscii);
}

function verify({ requiresType: type }: JwtRequirement, asked: Asked): Verdict {
  switch (type.case) {
    case undefined:
      return { status: "ok", verified: [] };
    case "providerName":
      return verifyProvider(type.value, asked);
    case "requiresAny":
      return verifyAny(type.value.requirements, asked);
    case "requiresAll": {
      const verdicts = type.value.requirements.map((requirement) => verify(requirement, asked));
      const failed = verdicts.find(({ status }) => status !== "ok");
      return failed ?? { status: "ok", verified: verdicts.flatMap((verdict) => (verdict.status === "ok" ? verdict.verified : [])) };
    }
    case "allowMissing":
      return verifyIfThere(asked);
    default:
      throw new Undecidable(`jwt_authn requirement ${type.case}`);
  }
}

function verifyProvider(name: string, asked: Asked): Verdict {
  const provider = asked.config.providers[name];
  if (provider === undefined) throw new Undecidable(`jwt_authn provider ${name}`);
  const texts = tokensOf([provider], asked.message);
  asked.log.push({ begins: provider });
  if (texts.length === 0) return { status: "missing", provider: name };
  return verifyAll(texts, asked, () => [name, provider]);
}

function verifyAny(requirements: readonly JwtRequirement[], asked: Asked): Verdict {
  const others = requirements.filter(({ requiresType }) => requiresType.case !== "allowMissing");
  const mayMiss = others.length < requirements.length;
  if (others.length === 0) return mayMiss ? verifyIfThere(asked) : { status: "ok", verified: [] };
  let worst: Verdict | undefined;
  for (const requirement of others) {
    const verdict = verify(requirement, asked);
    if (verdict.status === "ok") return verdict;
    worst = graver(worst, verdict);
  }
  return worst === undefined || (mayMiss && worst.status === "missing") ? { status: "ok", verified: [] } : worst;
}

/** A token that is missing says less than somebody else's, and that less than one that is bad; of two bad ones the last counts. */
function graver(one: Verdict | undefined, other: Verdict): Verdict {
  if (one === undefined || (other.status !== "missing" && other.status !== "unknown-issuer")) return other;
  return one.status === "missing" ? other : one;
}

/** Nothing to verify is fine; what is there must be good by the provider of its issuer. */
function verifyIfThere(asked: Asked): Verdict {
  const providers = Object.entries(asked.config.providers);
  for (const [, begins] of providers) asked.log.push({ begins });
  const all = providers.map(([, provider]) => provider);
  return verifyAll(tokensOf(all, asked.message), asked, (issuer) => providers.find(([, provider]) => provider.issuer === issuer));
}

function verifyAll(
  found: readonly Found[],
  { view, nowMs, log }: Asked,
  providerFor: (issuer: JsonValue | undefined) => readonly [string, JwtProvider] | undefined,
): Verdict {
  const verified: Verified[] = [];
  for (const { text, issuers } of found) {
    const token = readToken(text);
    if ("trouble" in token) return { status: "bad-format", provider: undefined, trouble: token.trouble };
    if (!issuers.some((issuer) => issuer === "" || issuer === token.payload["iss"]))
      return { status: "unknown-issuer", provider: undefined };
    const [name, provider] = providerFor(token.payload["iss"]) ?? [];
    if (name === undefined || provider === undefined) return { status: "unknown-issuer", provider: undefined };
    const status = checkToken(token, provider, nowMs, view);
    if (status !== "ok") return { status, provider: name };
    verified.push({ name, provider, token });
    log.push({ found: { name, provider, token } });
  }
  return { status: "ok", verified };
}

function applied(log: readonly Event[], verified: readonly Verified[], message: HttpMessage) {
  let changed = message;
  const payloads: JsonObject = {};
  for (const event of log) {
    if ("begins" in event) {
      changed = withoutHeaders(changed, ownHeaders(event.begins));
      continue;
    }
    const { provider, token } = event.found;
    if (provider.payloadInMetadata !== "") payloads[provider.payloadInMetadata] = normalized(token.payload, provider);
    if (provider.headerInMetadata !== "") throw new Undecidable("jwt_authn header_in_metadata");
    if (provider.forwardPayloadHeader !== "") {
      const payload = token.text.split(".")[1] ?? "";
      changed = withLine(changed, lowerAscii(provider.forwardPayloadHeader), provider.padForwardPayloadHeader ? padded(payload) : payload);
    }
    for (const { headerName, claimName } of provider.claimToHeaders) {
      const value = claimText(claimAt(token.payload, claimName));
      if (value !== undefined) changed = withLine(changed, lowerAscii(headerName), value);
    }
    if (!provider.forward) changed = withoutToken(changed, provider);
  }
  const names = verified.map(({ name }) => name);
  const detail = names.length === 0 ? "no token, none is required" : `token is good by ${names.join(", ")}`;
  return { message: changed, payloads, clearsRoute: verified.some(({ provider }) => provider.clearRouteCache), detail, provider: names[0] };
}

function normalized(payload: JsonObject, { normalizePayloadInMetadata: rules }: JwtProvider): JsonObject {
  const split = (rules?.spaceDelimitedClaims ?? []).flatMap((claim) => {
    const value = payload[claim];
    return typeof value === "string" ? [[claim, value.split(" ").filter((word) => word !== "")] as const] : [];
  });
  return { ...payload, ...Object.fromEntries(split) };
}

function padded(text: string): string {
  return text + "=".repeat((4 - (text.length % 4)) % 4);
}

function claimAt(payload: JsonObject, name: string): JsonValue | undefined {
  if (payload[name] !== undefined) return payload[name];
  let value: JsonValue | undefined = payload;
  for (const key of name.split(".")) value = typeof value === "object" && value !== null && !Array.isArray(value) ? value[key] : undefined;
  return value;
}

function claimText(value: JsonValue | undefined): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "object") return String(value);
  return padded(encodeBase64Url(JSON.stringify(value)).replaceAll("-", "+").replaceAll("_", "/"));
}
