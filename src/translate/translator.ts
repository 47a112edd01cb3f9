import { type Finding, type Mesh, scopeFor } from "../mesh/index.ts";
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

/** A translator remembers what it made, by the inputs of each part: a change costs what depends on it. */
export function createTranslator(): Translator {
  const memo = new Memo();
  return {
    translate(mesh, proxy) {
      const scope = scopeFor(mesh, proxy);
      const credentials = translateCredentials(mesh, scope, memo);
      const names = new Set(credentials.keys());
      const policies = translatePolicies(mesh, proxy, scope, memo);
      const asked = policies.resources.flatMap(({ references }) => references.map(({ name }) => name));
      const routing = memo.get(`routing ${scope.key} ${[...names, ...asked].join(" ")}`, () => translateRouting(scope, names, asked, memo));
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
