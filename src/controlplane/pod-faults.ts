import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { ObservedPod } from "../runtime/index.ts";
import type { Progress } from "./progress.ts";

/** What resolves by itself within the first seconds is no news. */
const TROUBLE_MS = 4000;
/** Starting takes its time. */
const SLOW_MS = 20_000;
/** A loop of crashes is ready for a moment each time. */
const MENDED_MS = 5000;
const CHECK_MS = 500;
const TAIL_BYTES = 4096;
const LINE_LENGTH = 200;

interface Watched {
  pod: ObservedPod;
  restarts: number;
  /** Since when it is, or isn't, ready. */
  since: number;
  isSaid: boolean;
}

export interface PodFaultsOptions {
  readonly progress: Pick<Progress, "mended" | "warn">;
  /** Where `NAMESPACE/POD.log` lie. */
  readonly logs: string;
}

/** Says at the terminal which Pod crashed or can't start, once until it is mended, with the last line that it wrote. */
export class PodFaults {
  readonly #options: PodFaultsOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: PodFaultsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#check(performance.now()), CHECK_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#watched.clear();
  }

  observe(pods: readonly ObservedPod[]): void {
    const now = performance.now();
    const alive = new Map(pods.filter(({ terminating }) => !terminating).map((pod) => [`${pod.namespace}/${pod.name}`, pod]));
    for (const key of this.#watched.keys()) if (!alive.has(key)) this.#watched.delete(key);
    for (const [key, pod] of alive) {
      const watched = this.#watched.get(key);
      if (watched === undefined) this.#watched.set(key, { pod, restarts: 0, since: now, isSaid: false });
      else {
        if (watched.pod.ready !== pod.ready) watched.since = now;
        watched.pod = pod;
      }
    }
    this.#check(now);
  }

  #check(now: number): void {
    for (const watched of this.#watched.values()) {
      const { pod, isSaid, since } = watched;
      const hasCrashed = pod.restarts > watched.restarts;
      watched.restarts = pod.restarts;
      if (!isSaid && (hasCrashed || (!pod.ready && now - since >= patience(pod)))) this.#warn(watched);
      else if (isSaid && pod.ready && now - since >= MENDED_MS) {
        watched.isSaid = false;
        this.#options.progress.mended(`${pod.namespace}/${pod.name} is ready again`);
      }
    }
  }

  #warn(watched: Watched): void {
    watched.isSaid = true;
    const { namespace, name, message, restarts } = watched.pod;
    const last = restarts === 0 ? "" : lastLine(join(this.#options.logs, namespace, `${name}.log`));
    const wrote = last === "" ? "" : `; it last wrote: ${last}`;
    this.#options.progress.warn(
      `${namespace}/${name}: ${message || "it ended and was started again"}${wrote} (kumiko logs ${name} -n ${namespace})`,
    );
  }
}

function patience({ message }: ObservedPod): number {
  return /^(network|proxy): /.test(message) ? TROUBLE_MS : SLOW_MS;
}

/** The last line that the program itself wrote; empty where there is none. */
export function lastLine(file: string): string {
  try {
    const descriptor = openSync(file, "r");
    try {
      const { size } = fstatSync(descriptor);
      const bytes = Buffer.alloc(Math.min(TAIL_BYTES, size));
      readSync(descriptor, bytes, 0, bytes.length, size - bytes.length);
      const lines = bytes
        .toString("utf8")
        .split("\n")
        .map((line) => line.replaceAll(/\p{Cc}/gu, "").trim());
      return lines.findLast((line) => line !== "" && !line.startsWith("[kumiko] "))?.slice(0, LINE_LENGTH) ?? "";
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return "";
  }
}
