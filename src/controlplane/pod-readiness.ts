import { findHeld, type World } from "./world.ts";
import type { PodBody } from "../schema/bodies.ts";

interface PodName {
  readonly namespace: string;
  readonly name: string;
}

/** What the runtime reports of a Pod; undefined where it reports none, or not whether it is ready. */
export function podReadiness(
  world: World,
  { namespace, name }: PodName,
): { readonly ready: boolean; readonly message: string } | undefined {
  const held = findHeld(world, { kind: "Pod", namespace, name });
  return held === undefined ? undefined : readinessOf(held.resource.body as PodBody);
}

export function unreadyPods(world: World): readonly PodName[] {
  return [...world.held.values()].flatMap(({ resource: { kind, metadata, body } }) =>
    kind === "Pod" && readinessOf(body as PodBody)?.ready === false ? [{ namespace: metadata.namespace, name: metadata.name }] : [],
  );
}

function readinessOf({ status }: PodBody): { readonly ready: boolean; readonly message: string } | undefined {
  const found = status?.conditions?.find(({ type }) => type === "Ready");
  return found && { ready: found.status === "True", message: found.message ?? "" };
}
