import { stableHash } from "../../base/stable-hash.ts";
import { formatRef, refOf } from "../../model/resource.ts";
import type { PreparedTest } from "../engine.ts";
import { isTlsScheme } from "../request-url.ts";

/** Equal for tests whose meshes are: the same resources, workloads and profile, and the same that is called in TLS. For them one mesh is enough. */
export function meshKey({ loaded: { test, resources }, mesh }: PreparedTest): string {
  const declared = resources.map((resource) => [formatRef(refOf(resource)), resource.apiVersion, resource.hash]);
  const workloads = mesh.workloads.map((workload) => ({ ...workload, position: undefined }));
  const secured = test.calls
    .filter(({ request: { url } }) => isTlsScheme(url.scheme))
    .map(({ request: { url } }) => `${url.host} ${url.port}`);
  return stableHash({ profile: test.profile, declared, workloads, secured: [...new Set(secured)].toSorted() });
}
