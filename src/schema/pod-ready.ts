import type { PodBody } from "./bodies.ts";

type PodStatus = Pick<PodBody, "status">;
type Condition = NonNullable<NonNullable<PodBody["status"]>["conditions"]>[number];

/** What is said of a Pod's readiness, with the reason; undefined where nothing is. */
export function readyCondition({ status }: PodStatus): Condition | undefined {
  return status?.conditions?.find(({ type }) => type === "Ready");
}

/** Only what is said to be ready is. */
export function isPodReady(body: PodStatus): boolean {
  return readyCondition(body)?.status === "True";
}
