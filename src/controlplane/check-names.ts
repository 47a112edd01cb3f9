import { MeshError } from "../model/error.ts";
import type { SystemCheck } from "../runtime/index.ts";
import { ask } from "./admin-client.ts";

const OUTSIDE = "/apis/networking.istio.io/v1/serviceentries";
const SHOWN = 5;

interface Listed {
  readonly items?: readonly { readonly spec?: { readonly hosts?: readonly string[] } }[];
}

/**
 * Nobody needs to wait for workloads that can't look up what lies outside of the mesh. Services are found by their variables where names can't
 * be had; outside hosts have none.
 * @throws MeshError where ServiceEntries name hosts and no workload can have names of its own.
 */
export async function checkNames({ mode, mounts, remedy }: SystemCheck, adminSocket: string): Promise<void> {
  if (mode === "namespaces" || mounts?.way !== undefined) return;
  const { items = [] } = (await ask(adminSocket, OUTSIDE)).body as Listed;
  const hosts = [...new Set(items.flatMap(({ spec }) => spec?.hosts ?? []))].filter((host) => !host.includes("*")).toSorted();
  if (hosts.length === 0) return;
  const named = hosts.slice(0, SHOWN).join(", ") + (hosts.length > SHOWN ? ` and ${hosts.length - SHOWN} more` : "");
  throw new MeshError(
    "io",
    `workloads can't look up ${named}: neither network nor mount namespaces can be had (${mounts?.refusal ?? "refused"})`,
    remedy === undefined ? {} : { help: remedy },
  );
}
