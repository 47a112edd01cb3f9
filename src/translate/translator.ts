import { canonicalJson } from "../base/stable-hash.ts";
import { part } from "../base/part.ts";
import { type Finding, type Mesh, type ProxyView, type Scope, Scopes } from "../mesh/index.ts";
import type { Proxy } from "../model/proxy.ts";
import { translateCredentials } from "./credentials.ts";
import type { Snapshot } from "./envoy/resource.ts";
import { identityOf, Memo } from "./memo.ts";
import { translateInbound, translatePolicies } from "./own-application.ts";
import { translateRouting } from "./routing.ts";
import { toSnapshot } from "./snapshot.ts";

export interface Translator {
  /** All that one proxy may be sent, and what is wrong with what concerns it. Equal inputs give the same objects and bytes. */
  translate(mesh: Mesh, proxy: Proxy): { readonly snapshot: Snapshot; readonly findings: readonly Finding[] };
}

/** A list of names as an argument of a part. */
interface Named {
  readonly list: readonly string[];
}

/** A view asks for few; those of long ago go. */
const MOST_LISTS = 64;

/** Lists of names by what is in them, held by the view that asks for them. */
const namesOf = part((_view: ProxyView) => {
  const known = new Map<string, Named>();
  return (list: readonly string[]): Named => {
    const key = canonicalJson(list);
    let named = known.get(key);
    if (named !== undefined) return named;
    if (known.size >= MOST_LISTS) known.clear();
    known.set(key, (named = { list }));
    return named;
  };
});

/** A translator remembers what it made, by the inputs of each part: a change costs what depends on it. */
export function createTranslator(): Translator {
  const memo = new Memo();
  const scopes = new Scopes();
  const routingOf = part((scope: Scope, credentials: Named, asked: Named) =>
    translateRouting(scope, new Set(credentials.list), asked.list, memo),
  );
  return {
    translate(mesh, proxy) {
      const scope = scopes.of(mesh, proxy);
      const named = namesOf(scope.proxy);
      const credentials = translateCredentials(mesh, scope, memo);
      const policies = translatePolicies(mesh, proxy, scope, memo);
      const asked = policies.resources.flatMap(({ references }) => references.map(({ name }) => name));
      const routing = routingOf(scope, named([...credentials.keys()]), named(asked));
      const inbound = translateInbound(mesh, proxy, memo);
      const parts = [routing, inbound, policies, ...credentials.values()];
      const snapshot = memo.get(`snapshot ${parts.map(identityOf).join(" ")}`, () =>
        toSnapshot([...routing.resources, ...inbound.resources, ...policies.resources, ...credentials.values()]),
      );
      const findings = [...routing.findings, ...inbound.findings, ...policies.findings];
      return { snapshot, findings };
    },
  };
}
