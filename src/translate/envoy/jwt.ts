import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import {
  type JwtAuthentication,
  JwtAuthenticationSchema,
  type JwtProvider as EnvoyProvider,
  JwtProviderSchema,
  type JwtRequirement,
  JwtRequirementSchema,
} from "../../gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js";
import type { Authentication, JwtProvider } from "../../ir/policy.ts";

/** Where a verified token's claims stand in the request's metadata; RBAC reads them there. */
export const JWT_METADATA = { filter: "envoy.filters.http.jwt_authn", key: "payload" } as const;

/** Envoy's own key for a token that no provider says where to find. */
const DEFAULT_LOCATIONS = ["header authorization", "param access_token"];

/** A request without a token passes; one with a token passes where each token in it is valid. Without providers every request passes. */
export function toJwtAuthentication({ providers }: Pick<Authentication, "providers">): JwtAuthentication {
  if (providers.length === 0) return create(JwtAuthenticationSchema, {});
  return create(JwtAuthenticationSchema, {
    providers: Object.fromEntries(providers.map((provider) => [provider.name, toProvider(provider)])),
    rules: [
      { match: { pathSpecifier: { case: "prefix", value: "/" } }, requirementType: { case: "requires", value: toRequirement(providers) } },
    ],
    bypassCorsPreflight: true,
  });
}

function toProvider(provider: JwtProvider): EnvoyProvider {
  return create(JwtProviderSchema, {
    issuer: provider.issuer,
    audiences: [...provider.audiences],
    jwksSourceSpecifier: { case: "localJwks", value: { specifier: { case: "inlineString", value: provider.jwks } } },
    forward: provider.forwardOriginalToken,
    fromHeaders: provider.fromHeaders.map(({ name, prefix }) => ({ name, valuePrefix: prefix })),
    fromParams: [...provider.fromParams],
    fromCookies: [...provider.fromCookies],
    forwardPayloadHeader: provider.outputPayloadToHeader ?? "",
    claimToHeaders: provider.outputClaimToHeaders.map(({ header, claim }) => ({ headerName: header, claimName: claim })),
    payloadInMetadata: JWT_METADATA.key,
    normalizePayloadInMetadata: { spaceDelimitedClaims: ["permission", "scope"] },
  });
}

/**
 * Providers that look in the same place are alternatives: a token is one of theirs or refused. Each place is asked for itself, so that a good
 * token in one does not carry a bad one in another past. Never `allow_missing_or_failed`: it lets every forged token pass.
 */
function toRequirement(providers: readonly JwtProvider[]): JwtRequirement {
  const groups = groupByPlace(providers).map((group) => {
    const alternatives = group.map(({ name }) => create(JwtRequirementSchema, { requiresType: { case: "providerName", value: name } }));
    const missing = create(JwtRequirementSchema, { requiresType: { case: "allowMissing", value: create(EmptySchema) } });
    return create(JwtRequirementSchema, { requiresType: { case: "requiresAny", value: list("Or", [...alternatives, missing]) } });
  });
  const [only, ...others] = groups;
  if (only !== undefined && others.length === 0) return only;
  return create(JwtRequirementSchema, { requiresType: { case: "requiresAll", value: list("And", groups) } });
}

function list<Kind extends "Or" | "And">(kind: Kind, requirements: JwtRequirement[]) {
  const $typeName: `envoy.extensions.filters.http.jwt_authn.v3.JwtRequirement${Kind}List` = `envoy.extensions.filters.http.jwt_authn.v3.JwtRequirement${kind}List`;
  return { $typeName, requirements };
}

function groupByPlace(providers: readonly JwtProvider[]): readonly (readonly JwtProvider[])[] {
  let groups: { readonly places: ReadonlySet<string>; readonly members: readonly JwtProvider[] }[] = [];
  for (const provider of providers) {
    const places = placesOf(provider);
    const touching = groups.filter((group) => places.some((place) => group.places.has(place)));
    const merged = {
      places: new Set([...touching.flatMap((group) => [...group.places]), ...places]),
      members: [...touching.flatMap((group) => group.members), provider],
    };
    groups = [...groups.filter((group) => !touching.includes(group)), merged];
  }
  return groups.map(({ members }) => members);
}

function placesOf({ fromHeaders, fromParams, fromCookies }: JwtProvider): readonly string[] {
  const places = [
    ...fromHeaders.map(({ name }) => `header ${name.toLowerCase()}`),
    ...fromParams.map((name) => `param ${name}`),
    ...fromCookies.map((name) => `cookie ${name}`),
  ];
  return places.length === 0 ? DEFAULT_LOCATIONS : places;
}
