import type { Mesh, Scope } from "../mesh/index.ts";
import { refOf } from "../model/resource.ts";
import type { EnvoyResource } from "./envoy/resource.ts";
import { toEnvoySecret } from "./envoy/secret.ts";
import { namedSecrets } from "./istio/gateway-tls.ts";
import { findTlsSecret } from "./istio/secret.ts";
import type { Memo } from "./memo.ts";

/** The users' Secrets that a gateway's servers name, where they are there, by their SDS name. A sidecar is given none. */
export function translateCredentials(mesh: Mesh, scope: Scope, memo: Memo): ReadonlyMap<string, EnvoyResource> {
  const found = new Map<string, EnvoyResource>();
  for (const name of namedSecrets(scope)) {
    const secret = findTlsSecret(name, scope.proxy.namespace, mesh.find);
    if (secret === undefined) continue;
    const [origin] = secret.origin;
    const resource = origin === undefined ? undefined : mesh.find(origin.ref);
    const key = resource === undefined ? "" : `${refOf(resource).name} ${resource.hash}`;
    found.set(
      name,
      memo.get(`secret ${name} ${key}`, () => toEnvoySecret(secret)),
    );
  }
  return found;
}
