import type { Broker, Log } from "../broker.ts";

/** A real broker for the contract's tests. */
export interface Rig {
  /** A client of its own, as another replica would have. */
  open(name: string): Broker;
  /** What infrastructure code does for a group. */
  provision(group: string, types: readonly string[]): Promise<void>;
  /** Kills the broker and starts it again on its data; undefined where it keeps none. */
  readonly outage: { kill(): Promise<void>; restart(): Promise<void> } | undefined;
  stop(): Promise<void>;
}

/** Why this machine can't have a broker. */
export interface Missing {
  readonly missing: string;
}

export function isMissing(found: object): found is Missing {
  return "missing" in found;
}

const ignore = () => undefined;
export const noLog: Log = { info: ignore, warn: ignore, error: ignore };
