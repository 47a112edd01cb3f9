/**
 * The agent of one machine: names of workloads come in over a 0600 socket, running Envoys come out.
 * All that its Envoys speak to is the agent; no key that it makes ever leaves it but to its own Envoy.
 */
export { isReadableAdminPath, readAdmin } from "./admin-relay.ts";
export { type Agent, type AgentOptions, startAgent } from "./agent.ts";
export { keepLogBounded } from "./bounded-log.ts";
export { type BootstrapInputs, makeBootstrap, nodeId } from "./bootstrap.ts";
export { CALLED_HOSTS_PATH, parseCalledHosts } from "./called-hosts.ts";
export type { ControlPlaneAddress, ControlPlaneLink } from "./control-plane.ts";
export { checkEnvoyVersion, findAdvisories } from "./envoy-advisories.ts";
export { defaultCacheDir, type EnvoyBinary, type EnvoySearch, envoyVersion, findEnvoy } from "./envoy-binary.ts";
export { ENVOY_VERSION } from "./envoy-wheel.ts";
export type { ProxySpec } from "./proxy-spec.ts";
export type { LocalSecret, LocalSecrets } from "./sds.ts";
export type { AgentEvent, ProxyStatus } from "./workload-proxy.ts";
