import { join } from "node:path";
import { startAgent } from "../agent/index.ts";
import type { ControlPlaneAddress, ProxySpec } from "../agent/index.ts";
import { terminationOf } from "../schema/proxy-config.ts";

export interface AgentProcessOptions {
  readonly runDir: string;
  readonly stateDir: string;
  readonly controlPlane: ControlPlaneAddress;
  readonly trustDomain: string;
  readonly envoyPath: string;
  /** Names one start of the machine, so that an agent that comes back adopts its Envoys and no others. */
  readonly generation: string;
  /** The one proxy of an agent that joined from another machine. */
  readonly proxy?: ProxySpec;
  /** One line for the log. */
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Runs the agent of this machine until it is told to stop. Envoys outlive an agent that is killed, and are adopted by the next. */
export async function runAgent(options: AgentProcessOptions): Promise<void> {
  const { runDir, controlPlane, trustDomain, envoyPath, generation, say, signal, proxy } = options;
  const agent = await startAgent({
    runDir,
    stateDir: join(options.stateDir, "agent"),
    controlPlane,
    trustDomain,
    envoyPath,
    generation,
    observe: ({ proxy: name, kind, detail }) => say(`${name}: ${kind}${detail === undefined ? "" : ` ${detail}`}`),
  });
  for (const { message } of agent.diagnostics) say(message);
  try {
    if (proxy !== undefined) await agent.proxies.put(proxy);
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  } finally {
    // The machine's own proxies have been drained and ended by then, each with its Pod.
    const drainMs = proxy === undefined ? 0 : terminationOf({}, undefined).drainMs;
    await agent.close({ stopProxies: true, drainMs, keepIdentities: proxy !== undefined });
  }
}
