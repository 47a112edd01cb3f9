/** Addresses of the pod network that both its rules and whoever foretells what they do must know. */

/** Of all pods; the bridge and the prober are among them. */
export const POD_RANGE = "10.244.0.0/16";
/** The bridge: gateway of the pods, resolver of the sidecars, source of published traffic. */
export const BRIDGE_ADDRESS = "10.244.0.1";
/** Source of the probes: the one address whose connections reach an application without its sidecar, as a kubelet's do. */
export const PROBE_ADDRESS = "10.244.0.2";
/** From here a sidecar speaks to its own application; from anywhere else to itself, as the next proxy. */
export const OWN_APPLICATION_SOURCE = "127.0.0.6";
