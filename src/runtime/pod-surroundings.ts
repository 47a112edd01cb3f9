import type { OpenWork } from "../model/open-work.ts";
import type { Proxy } from "../model/proxy.ts";
import type { ProxyTermination } from "../schema/proxy-config.ts";
import type { LogFile } from "./log-file.ts";
import type { DesiredPod, PodDocument } from "./pod.ts";
import type { PodPorts } from "./pod-ports.ts";
import type { Sandboxes } from "./sandbox.ts";
import type { PodVolumes } from "./volume.ts";
import type { ProcessCommand } from "./workload-process.ts";

export interface PodRef {
  readonly namespace: string;
  readonly name: string;
}

/** What the agent is told of one workload's proxy. */
export interface ProxyRequest extends Omit<Proxy, "id" | "version"> {
  /** Put before Envoy's command line, so that it runs in the workload's network namespace. */
  readonly launch: readonly string[];
  /** Resolver of the proxy, where it isn't the one of its /etc/resolv.conf: `127.0.0.1:PORT` in mode `ports`. */
  readonly resolver?: string;
}

/** The agent, as the runtime speaks to it. Rejections are tried again; a MeshError `network` means that nobody listens, as before the agent has started. */
export interface ProxyControl {
  put(request: ProxyRequest): Promise<void>;
  /** The proxy runs and has its certificate and configuration. */
  ready(ref: PodRef): Promise<boolean>;
  /** Sends the proxy's clients away, while it goes on serving those that stay and what its application sends. */
  drain(ref: PodRef): Promise<void>;
  openWork(ref: PodRef): Promise<OpenWork>;
  /** Hosts that the application has called through it. */
  calledHosts(ref: PodRef): Promise<readonly string[]>;
  /** Ends the proxy; resolves when it is gone. */
  remove(ref: PodRef): Promise<void>;
}

/** The control plane's list of pods. Rejections are tried again. */
export interface PodReports {
  reportPod(pod: PodDocument): Promise<void>;
  removePod(ref: PodRef): Promise<void>;
  /** Resolves when no proxy sends new requests to the pod any more, as far as that is known; bounded by the caller. */
  endpointGone?(ref: PodRef): Promise<void>;
}

export interface PodSurroundings {
  readonly sandboxes: Sandboxes;
  readonly agent: ProxyControl;
  readonly reports: PodReports;
  readonly ports: PodPorts;
  readonly resolver?: string;
  openLog(pod: DesiredPod): LogFile;
  volumes(pod: DesiredPod): PodVolumes;
  /** How the pod's proxy ends. */
  termination(pod: DesiredPod): ProxyTermination;
  prepare(
    pod: DesiredPod,
    container: DesiredPod["spec"]["containers"][number],
    address: string,
  ): ProcessCommand | { readonly missing: string };
  readonly onChange: () => void;
}
