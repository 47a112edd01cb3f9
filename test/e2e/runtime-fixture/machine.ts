/** A machine without control plane and agent: resources come from a file, reports go to files; a script stands in for Envoy, ready at once. */
import { spawn } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type DeclaredResource, type KumikoSettings, type RuntimeMode, startMachine, type Subscribe } from "../../../src/runtime/index.ts";

export interface FixtureOptions {
  readonly mode: RuntimeMode;
  readonly runDir: string;
  readonly stateDir: string;
  readonly folder: string;
  /** What applications don't find in it. */
  readonly hidden?: readonly string[];
  readonly resourcesFile: string;
  readonly settings: KumikoSettings;
}

/** Calls back with the resources in a JSON file, and again when it changed. */
export function subscribeToFile(file: string): Subscribe {
  return (listener) => {
    let seen = 0;
    const read = () => {
      const changed = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
      if (changed === seen) return;
      seen = changed;
      listener(JSON.parse(readFileSync(file, "utf8")) as readonly DeclaredResource[]);
    };
    read();
    const timer = setInterval(read, 50);
    return () => clearInterval(timer);
  };
}

if (import.meta.main) {
  const options = JSON.parse(process.argv[2] ?? "{}") as FixtureOptions;
  const note = (what: string, value: unknown) => appendFileSync(join(options.stateDir, `${what}.jsonl`), `${JSON.stringify(value)}\n`);
  const startProxy = (launch: readonly string[], type: string) => {
    const script = fileURLToPath(new URL("proxy.py", import.meta.url));
    const sockets = join(options.runDir, "p");
    mkdirSync(sockets, { recursive: true });
    const paths: Readonly<Record<string, string>> = { "{envoy}": script, "{bootstrap}": options.resourcesFile, "{sockets}": sockets };
    const [program = "", ...prefix] = launch.map((word) => paths[word] ?? word);
    const targets = [options.stateDir, options.runDir, options.folder, String(process.pid)];
    const proxy = spawn(program, [...prefix, "/usr/bin/python3", script, type, ...targets], { stdio: ["ignore", "pipe", "inherit"] });
    proxy.stdout.on("data", (chunk: Buffer) => note("said", { said: chunk.toString().trim() }));
  };
  await startMachine({
    mode: options.mode,
    runDir: options.runDir,
    stateDir: options.stateDir,
    folder: options.folder,
    visible: [dirname(process.execPath)],
    hidden: options.hidden ?? [],
    images: options.settings.images,
    subscribe: subscribeToFile(options.resourcesFile),
    reports: {
      reportPod: async (pod) => {
        note("pods", pod);
        note("order", { report: pod.metadata.name, ready: JSON.stringify(pod.status["conditions"]).includes("True") });
      },
      removePod: async ({ name }) => note("order", { removed: name }),
    },
    agent: {
      put: async (request) => {
        note("proxies", request);
        if (options.mode === "namespaces") startProxy(request.launch, request.type);
      },
      drain: async ({ name }) => note("order", { drained: name }),
      openWork: async () => ({ requests: 0, connections: 0 }),
      calledHosts: async () => [],
      remove: async ({ name }) => note("order", { ended: name }),
      ready: async () => true,
    },
  });
}
