import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { asTyped } from "../base/as-typed.ts";
import { printable } from "../base/printable.ts";
import type { ControlPlane, ControlPlaneOptions } from "../controlplane/compose.ts";
import { type Places, placesOf } from "../controlplane/config.ts";
import { claimRun, releaseRun, startTimeOf } from "../controlplane/lifecycle.ts";
import { MeshError } from "../model/error.ts";
import type { ResourcePath } from "../model/resource-path.ts";
import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import { parseHostPort } from "./host-port.ts";
import type { Io } from "./io.ts";
import { packageVersion } from "./package-version.ts";
import { PROFILE_OPTION, toProfile } from "./profile-option.ts";

export const serve = defineCommand({
  name: "serve",
  summary: "Run the control plane alone: resources in, configuration and certificates for proxies out",
  arguments: [{ name: "path", help: "files and folders of resources, watched", optional: true, variadic: true }],
  options: {
    profile: PROFILE_OPTION,
    dev: { type: "boolean", help: "a development root may sign (never in production)" },
    listen: { type: "string", value: "HOST:PORT", help: "serve agents of other machines there, over mTLS" },
    insecureXds: { type: "string", value: "ADDRESS:PORT", help: "serve tools on loopback there, in plaintext" },
    state: { type: "string", value: "DIR", help: "where certificates and applied resources are kept (DIR/.kumiko)" },
    ofUp: { type: "string", value: "FILE", help: "what kumiko up hands over", hidden: true },
  },
  examples: ["kumiko serve manifests --listen 0.0.0.0:15012", "kumiko serve manifests --dev --insecure-xds 127.0.0.1:15010"],
  async run({ args, options, io }) {
    const places = placesOf(
      resolve(io.cwd, options.dir ?? "."),
      io.environment,
      ...(options.state === undefined ? [] : [resolve(io.cwd, options.state)]),
    );
    const common = {
      version: packageVersion(),
      places,
      say: (line: string) => io.stdout.write(`${printable(asTyped(line, io.environment.program))}\n`),
    };
    if (options.ofUp !== undefined) return runUntil(io.termination, await start({ ...common, ...readHandedOver(options.ofUp, places) }));
    if (args.length === 0) throw new MeshError("usage", "no file or folder of resources is named", { help: "kumiko serve PATH..." });
    const profile = toProfile(options.profile);
    return await serveAlone(
      {
        ...common,
        command: "serve",
        paths: args.map((path) => resolve(io.cwd, path)),
        dev: options.dev,
        hosts: new Map(),
        authorities: [],
        ...(profile !== undefined && { profile }),
        ...(options.listen !== undefined && { listen: parseHostPort(options.listen, "--listen") }),
        ...(options.insecureXds !== undefined && { insecureXds: options.insecureXds }),
      },
      io,
    );
  },
});

/** Loaded only here: help needs none of it. */
async function start(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { startControlPlane } = await import("../controlplane/compose.ts");
  return await startControlPlane(options);
}

async function serveAlone(options: ControlPlaneOptions, io: Io): Promise<number> {
  const { places, say } = options;
  const { root, adminSocket, agentSocket, controlPlaneSocket } = places;
  claimRun(places.runFile, { pid: process.pid, startTime: startTimeOf(process.pid), root, adminSocket, agentSocket, command: "serve" });
  try {
    const controlPlane = await start(options);
    say(
      `control plane ready: trust domain ${controlPlane.trustDomain}, ${controlPlane.isDevelopment ? "development root (not for production)" : "external root"}`,
    );
    say(`  xDS and certificates for this machine's agent: ${controlPlaneSocket}`);
    if (controlPlane.port !== undefined)
      say(`  for agents of other machines, over mTLS: ${options.listen?.host ?? ""}:${controlPlane.port}`);
    if (options.insecureXds !== undefined) say(`  for tools, in plaintext: ${options.insecureXds}`);
    say(`  admin API: ${adminSocket}`);
    return await runUntil(io.signal, controlPlane);
  } finally {
    releaseRun(places);
  }
}

async function runUntil(signal: AbortSignal, controlPlane: ControlPlane): Promise<number> {
  if (!signal.aborted) await new Promise((resolve_) => signal.addEventListener("abort", resolve_, { once: true }));
  await controlPlane.close();
  return EXIT.done;
}

/** What `kumiko up` writes for its control plane; see `controlplane/up.ts`. */
interface HandedOver {
  readonly paths: readonly ResourcePath[];
  readonly hosts: Readonly<Record<string, string>>;
  readonly authorities: readonly string[];
  readonly profile?: "zero-trust" | "istio";
}

function readHandedOver(file: string, places: Places): Omit<ControlPlaneOptions, "version" | "places" | "say"> {
  const { paths, hosts, authorities, profile } = JSON.parse(readFileSync(file, "utf8")) as HandedOver;
  return {
    command: "up",
    paths,
    dev: true,
    hosts: new Map(Object.entries(hosts)),
    authorities: authorities.map((path) => readFileSync(path, "utf8")),
    feedSocket: places.feedSocket,
    ...(profile !== undefined && { profile }),
  };
}
