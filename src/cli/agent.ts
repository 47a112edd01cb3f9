import { printable } from "../base/printable.ts";
import { readFileSync, rmdirSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join, resolve } from "node:path";
import type { ProxySpec } from "../agent/index.ts";
import type { AgentProcessOptions } from "../controlplane/agent-process.ts";
import { placesOf } from "../controlplane/config.ts";
import { makePrivateFolder } from "../controlplane/lifecycle.ts";
import { MeshError } from "../model/error.ts";
import { defineCommand, type OptionValues } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import type { Io } from "./io.ts";

const OPTIONS = {
  controlPlane: { type: "string", value: "HOST:PORT", help: "where kumiko serve --listen is reached" },
  joinTokenFile: { type: "string", value: "FILE", help: "a file with a token of kumiko join-token create; - for standard input" },
  name: { type: "string", value: "NAME", help: "the workload that the token is for" },
  serviceAccount: { type: "string", value: "NAME", help: "the workload's service account", default: "default" },
  address: { type: "strings", value: "IP", help: "address at which other workloads reach this one (the machine's first)" },
  trustDomain: { type: "string", value: "NAME", help: "of the mesh", default: "cluster.local" },
  router: { type: "boolean", help: "it is a gateway, not a sidecar" },
  capture: { type: "string", value: "HOW", help: "how traffic gets to the proxy", choices: ["redirect", "none"], default: "redirect" },
  envoy: { type: "string", value: "FILE", help: "the Envoy to run (also KUMIKO_ENVOY)" },
  ofUp: { type: "string", value: "FILE", help: "what kumiko up hands over", hidden: true },
} as const;

export const agent = defineCommand({
  name: "agent",
  summary: "Run a workload's proxy on another machine, which joins the mesh by a token",
  options: OPTIONS,
  examples: [
    "kumiko agent --control-plane mesh.example.com:15012 --join-token-file token -n shop --name legacy-1 --service-account legacy",
  ],
  async run({ options, io }) {
    const say = (line: string) => io.stdout.write(`${printable(line)}\n`);
    // Loaded only here: help needs none of it.
    const [{ runAgent }, { findEnvoy }] = await Promise.all([import("../controlplane/agent-process.ts"), import("../agent/index.ts")]);
    if (options.ofUp !== undefined) {
      const handed = JSON.parse(readFileSync(options.ofUp, "utf8")) as Omit<AgentProcessOptions, "say" | "signal">;
      await runAgent({ ...handed, say, signal: io.termination });
      return EXIT.done;
    }
    const { controlPlane, name, namespace = "default" } = options;
    if (controlPlane === undefined || name === undefined) {
      throw new MeshError("usage", "an agent needs --control-plane and --name", { help: "kumiko agent --help" });
    }
    const proxy = toProxySpec(name, namespace, options);
    const joinToken = await readToken(options.joinTokenFile, io);
    const explicit = options.envoy ?? io.environment.envoy;
    const envoy = await findEnvoy({ ...(explicit !== undefined && { explicit }), cacheDir: io.environment.cacheDir, onStep: say });
    const places = placesOf(resolve(io.cwd, options.dir ?? "."), io.environment);
    for (const folder of [places.state, places.run]) makePrivateFolder(folder);
    try {
      await runAgent({
        runDir: places.run,
        stateDir: places.state,
        controlPlane: { address: controlPlane, ...(joinToken !== undefined && { joinToken }) },
        trustDomain: options.trustDomain,
        envoyPath: envoy.path,
        // One machine, one workload: whatever an earlier agent left running here is ours to go on with.
        generation: "machine",
        proxy,
        say,
        signal: io.signal,
      });
    } finally {
      removeIfEmpty(join(places.run, "p"), places.run);
    }
    return EXIT.done;
  },
});

function removeIfEmpty(...folders: readonly string[]): void {
  for (const folder of folders) {
    try {
      rmdirSync(folder);
    } catch {
      // Somebody else has a socket there.
    }
  }
}

function toProxySpec(name: string, namespace: string, options: OptionValues<typeof OPTIONS>): ProxySpec {
  return {
    name,
    namespace,
    serviceAccount: options.serviceAccount,
    type: options.router ? "router" : "sidecar",
    addresses: options.address.length > 0 ? options.address : [firstAddress()],
    // What its labels are, the control plane knows.
    labels: {},
    cluster: "Kubernetes",
    network: "",
    locality: "",
    capture: options.capture === "none" ? "none" : "redirect",
    localPorts: {},
    localAddresses: {},
    outsidePorts: {},
    dnsCapture: false,
    launch: [],
  };
}

function firstAddress(): string {
  const outside = Object.values(networkInterfaces()).flatMap((addresses) => addresses?.filter(({ internal }) => !internal) ?? []);
  const [first] = outside.toSorted((one, other) => Number(other.family === "IPv4") - Number(one.family === "IPv4"));
  if (first === undefined) throw new MeshError("usage", "this machine has no address but loopback", { help: "name one with --address IP" });
  return first.address;
}

/** A token on the command line would be there for all to see. */
async function readToken(file: string | undefined, io: Io): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return (file === "-" ? await io.readStdin() : readFileSync(resolve(io.cwd, file), "utf8")).trim();
  } catch (cause) {
    throw new MeshError("io", `can't read the join token in ${file}`, { cause });
  }
}
