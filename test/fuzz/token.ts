import type { Draw } from "./draw.ts";
import type { TokenRule } from "./policy.ts";
import { ISSUERS } from "./topology.ts";

type Token = Readonly<Record<string, unknown>>;

/** One token, or two, at or near what a rule asks for. */
export function drawToken(draw: Draw, rules: readonly TokenRule[]): Token | readonly Token[] {
  const one = () =>
    drawOne(draw, rules.length > 0 && draw.chance(92) ? draw.one(rules) : { issuer: draw.one([...ISSUERS, "https://evil.example.com"]) });
  return draw.chance(95) ? one() : [one(), one()];
}

function drawOne(draw: Draw, { issuer, audiences = ["shop"], fromHeaders, fromParams }: TokenRule): Token {
  const given = draw.weighted<Token>([
    [6, () => ({ audiences })],
    [1, () => ({ audiences: ["other", ...audiences] })],
    [1, () => ({ audiences: [draw.one(["other", "SHOP", "shop.example.com", "http://shop.example.com"])] })],
    [1, () => ({})],
  ]);
  const [header] = fromHeaders ?? [];
  const [query] = fromParams ?? [];
  const place =
    header !== undefined && draw.chance(85)
      ? { header: header.name, prefix: header.prefix ?? "" }
      : query !== undefined && draw.chance(85)
        ? { query }
        : draw.one<Token>([{}, {}, {}, {}, {}, { header: "authorization", prefix: draw.one(["bearer ", "", "Bearer  ", "Token "]) }]);
  return {
    issuer,
    ...draw.maybe(85, () => ({ subject: draw.one(["alice", "bob", "a/b"]) })),
    ...given,
    ...draw.maybe(50, () => ({
      claims: draw.one([
        { role: "admin" },
        { role: ["user", "admin"] },
        { role: "user adm" },
        { nested: { role: "admin" } },
        { role: 7 },
        { azp: "app" },
      ]),
    })),
    ...drawTrouble(draw),
    ...place,
  };
}

/** What makes a token bad; Envoy allows a clock to be a minute off. */
function drawTrouble(draw: Draw): Token {
  return draw.weighted<Token>([
    [8, () => ({})],
    [1, () => ({ notBefore: "-2h", expiresIn: "-300s" })],
    [1, () => ({ notBefore: "-2h", expiresIn: "-30s" })],
    [1, () => ({ notBefore: "10m" })],
    [1, () => ({ notBefore: "30s" })],
    [3, () => ({ signedBy: "wrong-key" })],
    [1, () => ({ signedBy: "none" })],
  ]);
}
