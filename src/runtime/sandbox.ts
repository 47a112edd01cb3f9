import type { DesiredPod } from "./pod.ts";
import type { VolumeMounts } from "./volume.ts";

/** Where a pod's processes run. */
export interface Sandbox {
  /** The pod's address as other pods reach it. */
  readonly address: string;
  /** Put before the command of the pod's Envoy; `{envoy}`, `{bootstrap}` and `{sockets}` stand for the agent's paths. */
  readonly proxyLaunch: readonly string[];
  /** The whole command that runs an application's command in the pod, without capabilities and in this folder. */
  launch(command: readonly string[], workingDir: string): readonly string[];
  /** Source address of probes, where one is needed to pass the capture. */
  readonly probeSource: string | undefined;
  /** The application's own process, given the one that was started with `launch`. */
  findApplication(pid: number): number;
  /** Ends what a container left behind, whose process this was. */
  killLeftovers(pid: number): void;
  /** Ends every process in the pod and frees its address. */
  remove(): Promise<void>;
}

export interface Sandboxes {
  create(pod: DesiredPod, volumes: VolumeMounts): Promise<Sandbox>;
}
