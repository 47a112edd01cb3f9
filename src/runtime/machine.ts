import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { MeshError } from "../model/error.ts";
import { type AgentChild, superviseAgent } from "./agent-child.ts";
import { type DnsServer, startDns } from "./dns.ts";
import { Kubelet } from "./kubelet.ts";
import type { ImageCommand } from "./kumiko-yaml.ts";
import { LogFile } from "./log-file.ts";
import { findLowestPort, LoopbackAddresses, LoopbackPorts } from "./loopback.ts";
import { type MachineEvent, type MachineOrder, parseLine } from "./machine-events.ts";
import { type Hello, MACHINE_SOCKET } from "./machine-protocol.ts";
import type { MountWay } from "./mount-way.ts";
import { BRIDGE_ADDRESS, machineNetwork, RELAY_RANGE } from "./network.ts";
import { pause } from "./pause.ts";
import type { PodReports, ProxyControl } from "./pod-surroundings.ts";
import { dialFromSocket, type Target } from "./relay.ts";
import { RelayTable } from "./relay-table.ts";
import type { Subscribe } from "./resources.ts";
import { runCommand } from "./run-command.ts";
import { RUN_MARK } from "./run-mark.ts";
import type { RuntimeMode } from "./system-check.ts";
import { systemPath } from "./system-path.ts";
import { type WorkloadMode, workloadMode } from "./workload-mode.ts";

export interface MachineOptions {
  readonly mode: RuntimeMode;
  /** In mode `ports`: how workloads get names of their own; undefined: they can't. */
  readonly mountWay?: MountWay;
  /** Sockets (0700); must be short. */
  readonly runDir: string;
  readonly stateDir: string;
  /** Folder of `kumiko.yaml`. */
  readonly folder: string;
  /** Further files and folders that applications find, read-only. */
  readonly visible: readonly string[];
  /** Manifests and whatever else applications don't find, wherever it lies. */
  readonly hidden: readonly string[];
  /** More of that, as it is when a pod starts. */
  readonly hiddenNow?: () => Promise<readonly string[]>;
  readonly images: Readonly<Record<string, ImageCommand>>;
  /** Resources of `RUNTIME_KINDS`. */
  readonly subscribe: Subscribe;
  readonly reports: PodReports;
  readonly agent: ProxyControl;
  /** The agent, kept running, and what it listens on once it is up; none: it runs elsewhere. */
  readonly agentProcess?: { readonly command: readonly string[]; readonly socket: string };
  readonly input?: Readable;
  readonly output?: Writable;
  /** How to end the process; tests end nothing. */
  readonly exit?: (code: number) => void;
}

export interface Machine {
  readonly kubelet: Kubelet;
  stop(): Promise<void>;
}

const SAY_AGAIN_MS = 1000;
const AGENT_GRACE_MS = 5000;

/**
 * Runs the workloads of one mesh. In mode `namespaces` it must be called by the process that `startHost` puts into fresh namespaces; it makes
 * the network, resolver and relay there. It ends when its input ends: in its PID namespace nothing outlives it.
 * @throws MeshError where the network can't be made.
 */
export async function startMachine(options: MachineOptions): Promise<Machine> {
  const output = options.output ?? process.stdout;
  output.on("error", () => {}); // The host is gone: the end of our input says the rest.
  const say = (event: MachineEvent) => void output.write(`${JSON.stringify(event)}\n`);
  if (options.mode === "namespaces") await makeNetwork(options.runDir);
  const outside = await startOutside(options, (error) =>
    say({ kind: "error", message: error.message, ...(error.help && { help: error.help }) }),
  );
  const workloads = workloadMode({ ...options, path: toBaseEnv(process.env)["PATH"] ?? "" }, outside);
  const kubelet = createKubelet(options, workloads, outside.resolver, say);
  const publish = await dialFromSocket(join(options.runDir, MACHINE_SOCKET), createGatewayFinder(kubelet, options.mode));
  const agent = startAgent(options, kubelet, say);
  say({ kind: "started" });
  const unsubscribe = options.subscribe((next) => {
    const { isChanged, problems } = workloads.setResources(next);
    kubelet.setResources(next);
    if (isChanged) kubelet.refresh();
    for (const event of problems) say(event);
  });
  const stop = async () => {
    unsubscribe();
    agent?.retire();
    const stopped = new AbortController();
    void sayWhatIsWaitedFor(kubelet, say, stopped.signal);
    await kubelet.stop();
    stopped.abort();
    await agent?.stop(AGENT_GRACE_MS);
    await Promise.all([publish.close(), outside.close()]);
    say({ kind: "stopped" });
  };
  followOrders(options, kubelet, stop);
  return { kubelet, stop };
}

async function sayWhatIsWaitedFor(kubelet: Kubelet, say: (event: MachineEvent) => void, signal: AbortSignal): Promise<void> {
  for (;;) {
    await pause(SAY_AGAIN_MS, signal);
    if (signal.aborted) return;
    say({ kind: "stopping", waitsFor: await kubelet.waitsFor() });
  }
}

async function makeNetwork(runDir: string): Promise<void> {
  await runCommand("ip", ["-batch", "-"], machineNetwork());
  // The sidecars' resolver reads /etc/resolv.conf of this mount namespace.
  const resolvConf = join(runDir, "resolv.conf");
  writeFileSync(resolvConf, `nameserver ${BRIDGE_ADDRESS}\n`, { mode: 0o600 });
  await runCommand("sh", [
    "-c",
    'target=$(readlink -m /etc/resolv.conf); [ ! -e "$target" ] || mount --bind "$1" "$target"',
    "sh",
    resolvConf,
  ]);
}

interface Outside {
  readonly relay: RelayTable;
  /** Where its listeners are: see `toOutsideTable`. */
  readonly place: string | ((host: string) => string);
  readonly ports: LoopbackPorts;
  readonly resolver: string | undefined;
  close(): Promise<void>;
}

async function startOutside(options: MachineOptions, onError: (error: MeshError) => void): Promise<Outside> {
  const inNamespaces = options.mode === "namespaces";
  const ports = new LoopbackPorts(inNamespaces ? 1 : await findLowestPort());
  const relay = new RelayTable({ runDir: options.runDir, ownNetwork: inNamespaces, ports, onError });
  const addresses = new LoopbackAddresses(`relay of ${options.runDir}`);
  const where = inNamespaces ? { address: BRIDGE_ADDRESS, port: 53 } : { address: "127.0.0.1", port: 0 };
  const dns: DnsServer = await startDns({ ...where, find: (name) => relay.find(name) });
  return {
    relay,
    place: inNamespaces ? RELAY_RANGE : (host) => addresses.get(host),
    ports,
    resolver: inNamespaces ? undefined : `127.0.0.1:${dns.port}`,
    close: async () => void (await Promise.all([relay.close(), dns.close()])),
  };
}

function createKubelet(
  options: MachineOptions,
  { sandboxes, ports }: WorkloadMode,
  resolver: string | undefined,
  say: (event: MachineEvent) => void,
): Kubelet {
  const { mode, runDir, stateDir, folder, images, agent, reports } = options;
  const inNamespaces = mode === "namespaces";
  let said = "";
  let shown = "";
  return new Kubelet({
    sandboxes,
    ports,
    agent,
    reports,
    images: () => images,
    folder,
    stateDir,
    // In namespaces the user's home is read-only.
    baseEnv: { ...toBaseEnv(process.env, inNamespaces ? "/tmp" : undefined), ...(!inNamespaces && { [RUN_MARK]: runDir }) },
    ...(resolver !== undefined && { resolver }),
    onPods: (pods) => {
      const text = JSON.stringify(pods);
      if (text !== shown) say({ kind: "pods", pods });
      shown = text;
    },
    onDiagnostics: (diagnostics) => {
      const text = JSON.stringify(diagnostics);
      if (text !== said) say({ kind: "diagnostics", diagnostics });
      said = text;
    },
  });
}

/** Nothing of the caller's environment reaches an application but this; the first `node` is the one that runs us. */
export function toBaseEnv(env: Readonly<Record<string, string | undefined>>, home = env["HOME"] ?? "/"): Readonly<Record<string, string>> {
  return {
    HOME: home,
    PATH: `${dirname(process.execPath)}:${systemPath(env["PATH"])}`,
    LANG: env["LANG"] ?? "C.UTF-8",
  };
}

/** Takes the ready pods of a published gateway in turn. */
function createGatewayFinder(kubelet: Kubelet, mode: RuntimeMode): (hello: Hello) => Target | undefined {
  let turn = 0;
  return (hello) => {
    if (hello.kind !== "publish") return undefined;
    const addresses = kubelet.readyAddresses({ kind: "Deployment", namespace: hello.namespace, name: hello.deployment });
    const host = addresses[turn++ % Math.max(1, addresses.length)];
    if (host === undefined) return undefined;
    return { host, port: hello.port, ...(mode === "namespaces" && { localAddress: BRIDGE_ADDRESS }) };
  };
}

function startAgent(options: MachineOptions, kubelet: Kubelet, say: (event: MachineEvent) => void): AgentChild | undefined {
  if (options.agentProcess === undefined) return undefined;
  const log = new LogFile(join(options.stateDir, "logs", "agent.log"));
  return superviseAgent({
    ...options.agentProcess,
    env: process.env,
    log,
    onRestart: () => kubelet.refresh(),
    onEnd: (how) => say({ kind: "error", message: `the agent ended (${how}) and starts again`, help: "kumiko logs agent" }),
  });
}

function followOrders(options: MachineOptions, kubelet: Kubelet, stop: Machine["stop"]): void {
  const input = options.input ?? process.stdin;
  const exit = options.exit ?? ((code) => process.exit(code));
  let stopping: Promise<void> | undefined;
  const end = () => {
    stopping ??= stop().then(
      () => exit(0),
      () => exit(1),
    );
  };
  createInterface(input)
    .on("line", (line) => {
      const order = parseLine<MachineOrder>(line);
      if (order?.kind === "stop") end();
      else if (order?.kind === "refresh") kubelet.refresh();
    })
    .on("close", () => {
      // The host is gone. Inside a PID namespace our end is everybody's; elsewhere the processes have to be ended one by one.
      if (options.mode === "namespaces") exit(1);
      else end();
    });
}
