import { canonicalJson } from "../base/stable-hash.ts";
import { Interner } from "../base/intern.ts";
import { part } from "../base/part.ts";
import { type Finding, type Mesh, type Scope, Scopes } from "../mesh/index.ts";
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

/** A translator remembers what it made, by the inputs of each part: a change costs what depends on it. */
export function createTranslator(): Translator {
  const memo = new Memo();
  const scopes = new Scopes();
  const names = new Interner<Named>();
  const named = (list: readonly string[]) => names.get(canonicalJson(list), () => ({ list }));
  const routingOf = part((scope: Scope, credentials: Named, asked: Named) =>
    translateRouting(scope, new Set(credentials.list), asked.list, memo),
  );
  return {
    translate(mesh, proxy) {
      const scope = scopes.of(mesh, proxy);
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
