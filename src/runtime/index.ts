/** Runs Deployments and StatefulSets as processes where there is no cluster: `startHost` outside of the namespaces, `startMachine` inside. */
export { findImage } from "./container-command.ts";
export { toDesiredWorkload } from "./deployment.ts";
export { type Host, type HostOptions, startHost } from "./host.ts";
export { type ObservedPod, type WaitedFor } from "./kubelet.ts";
export { endChild, keepRunning, ListeningSocket } from "./keep-running.ts";
export { type KumikoSettings, NO_SETTINGS, readKumikoYaml } from "./kumiko-yaml.ts";
export { type Machine, type MachineOptions, startMachine } from "./machine.ts";
export { type MachineEvent } from "./machine-events.ts";
export { type PodDocument } from "./pod.ts";
export { type PodRef, type PodReports, type ProxyControl, type ProxyRequest } from "./pod-surroundings.ts";
export { type DeclaredResource, RUNTIME_KINDS, type Subscribe } from "./resources.ts";
export { unlessAborted } from "./unless-aborted.ts";
export { checkSystem, type MissingProgram, type RuntimeMode, type SystemCheck } from "./system-check.ts";
