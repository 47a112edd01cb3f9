import { isHeaderName } from "../../base/header-name.ts";
import type { JwtProvider } from "../../ir/policy.ts";
import type { RequestAuthenticationBody } from "../../schema/bodies.ts";

type JwtRule = NonNullable<NonNullable<RequestAuthenticationBody["spec"]>["jwtRules"]>[number];

export type Places = Pick<JwtProvider, "fromHeaders" | "fromParams" | "fromCookies" | "outputPayloadToHeader" | "outputClaimToHeaders">;

// oxlint-disable-next-line no-control-regex -- these are the characters that a header's value can't have
const CONTROL = /[\u0000-\u001f\u007f]/;

/** Where tokens are looked for and where their contents go; what no request can have is left out and named, by its field. */
export function readPlaces(rule: JwtRule): { readonly places: Places; readonly unreadable: readonly string[] } {
  const unreadable = new Set<string>();
  const good = <Item>(field: string, items: readonly Item[] | undefined, isGood: (item: Item) => boolean): readonly Item[] =>
    (items ?? []).filter((item) => isGood(item) || !unreadable.add(field));
  const payload = good("outputPayloadToHeader", rule.outputPayloadToHeader === undefined ? [] : [rule.outputPayloadToHeader], isToken)[0];
  const places = {
    fromHeaders: good("fromHeaders", rule.fromHeaders, ({ name, prefix = "" }) => isToken(name) && !CONTROL.test(prefix)).map(
      ({ name, prefix = "" }) => ({ name, prefix }),
    ),
    fromParams: good("fromParams", rule.fromParams, (name) => name !== ""),
    fromCookies: good("fromCookies", rule.fromCookies, isToken),
    ...(payload !== undefined && { outputPayloadToHeader: payload }),
    outputClaimToHeaders: good(
      "outputClaimToHeaders",
      rule.outputClaimToHeaders,
      ({ header, claim }) => isToken(header) && (claim ?? "") !== "",
    ).map(({ header, claim }) => ({ header, claim })),
  };
  return { places, unreadable: [...unreadable] };
}

function isToken(text: string | undefined): boolean {
  return text !== undefined && isHeaderName(text);
}
