/** Starts host and machine for a test; run as a program, it is a parent that a test can kill. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  checkSystem,
  type DeclaredResource,
  type Host,
  type KumikoSettings,
  type MachineEvent,
  NO_SETTINGS,
  type ObservedPod,
  type RuntimeMode,
  startHost,
} from "../../../src/runtime/index.ts";
import { type FixtureOptions, subscribeToFile } from "./machine.ts";

export interface RunningFixture {
  readonly host: Host;
  readonly root: string;
  readonly options: FixtureOptions;
  readonly pods: () => readonly ObservedPod[];
  readonly events: readonly MachineEvent[];
  set(resources: readonly DeclaredResource[]): void;
  log(pod: ObservedPod): string;
  notes(what: "order" | "proxies" | "pods" | "said"): readonly Record<string, unknown>[];
}

export async function startFixture(given: {
  mode?: RuntimeMode;
  settings?: Partial<KumikoSettings>;
  root?: string;
  /** Names in the folder that applications don't find. */
  hidden?: readonly string[];
}): Promise<RunningFixture> {
  const root = given.root ?? realpathSync(mkdtempSync(join(tmpdir(), "kumiko-e2e-")));
  const folder = join(root, "app");
  const options: FixtureOptions = {
    mode: given.mode ?? "namespaces",
    runDir: join(root, "run"),
    stateDir: join(folder, ".kumiko"),
    folder,
    hidden: (given.hidden ?? []).map((name) => join(folder, name)),
    resourcesFile: join(root, "resources.json"),
    settings: { ...NO_SETTINGS, ...given.settings },
  };
  for (const made of [folder, options.stateDir, options.runDir]) mkdirSync(made, { recursive: true, mode: 0o700 });
  const set = (resources: readonly DeclaredResource[]) => {
    // The machine reads it at any moment.
    writeFileSync(`${options.resourcesFile}.new`, JSON.stringify(resources));
    renameSync(`${options.resourcesFile}.new`, options.resourcesFile);
  };
  set([]);
  const events: MachineEvent[] = [];
  let pods: readonly ObservedPod[] = [];
  const { filterWay } = checkSystem(undefined, options.mode);
  const host = await startHost({
    ...options,
    ...(filterWay !== undefined && { filterWay }),
    machineCommand: [process.execPath, fileURLToPath(new URL("machine.ts", import.meta.url)), JSON.stringify(options)],
    subscribe: subscribeToFile(options.resourcesFile),
    onEvent: (event) => {
      events.push(event);
      if (event.kind === "pods") pods = event.pods;
    },
    onOutside: () => {},
    onEnd: (how) => events.push({ kind: "error", message: how }),
  });
  await host.started;
  const read = (file: string) => readFileSync(file, "utf8");
  return {
    host,
    root,
    options,
    events,
    pods: () => pods,
    set,
    log: ({ namespace, name }) => read(join(options.stateDir, "logs", namespace, `${name}.log`)),
    notes: (what) =>
      (existsSync(join(options.stateDir, `${what}.jsonl`)) ? read(join(options.stateDir, `${what}.jsonl`)) : "")
        .trim()
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

export function deployment(
  name: string,
  over: { command: readonly string[]; env?: Record<string, string>; replicas?: number; container?: object; template?: object },
): DeclaredResource {
  const env = Object.entries(over.env ?? {}).map(([variable, value]) => ({ name: variable, value }));
  const container = { name: "app", image: `shop/${name}`, command: over.command, env, ports: [{ containerPort: 8080 }], ...over.container };
  return {
    kind: "Deployment",
    metadata: { name, namespace: "shop", labels: {}, annotations: {} },
    body: {
      spec: {
        replicas: over.replicas ?? 1,
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: { app: name } },
          spec: { containers: [container], terminationGracePeriodSeconds: 2, ...over.template },
        },
      },
    },
  };
}

export async function until<T>(
  what: string,
  read: () => T | undefined | false | Promise<T | undefined | false>,
  limitMs = 30_000,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const value = await read();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Every process below this one. */
export function descendants(pid: number): number[] {
  let children: number[];
  try {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  } catch {
    children = [];
  }
  return children.flatMap((child) => [child, ...descendants(child)]);
}

if (import.meta.main) {
  const mode = process.argv[3] === "ports" ? "ports" : "namespaces";
  const sleeper = {
    command: ["sh", "-c", "sleep 1001 & sleep 1002"],
    workingDir: ".",
    env: {},
    ready: undefined,
    readyTimeoutMs: 1000,
  } as const;
  const fixture = await startFixture({
    root: process.argv[2] ?? "",
    mode,
    settings: { outside: mode === "namespaces" ? { sleeper } : {} },
  });
  fixture.set([deployment("server", { command: ["sh", "-c", "sleep 1003 & sleep 1004"], replicas: 2 })]);
  await until("both pods run", () => fixture.pods().length === 2 && fixture.pods().every(({ ready }) => ready));
  process.stdout.write("ready\n");
}
