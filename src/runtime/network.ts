import { BRIDGE_ADDRESS, OWN_APPLICATION_SOURCE as INBOUND_SOURCE, POD_RANGE, PROBE_ADDRESS } from "../model/pod-network.ts";

/**
 * The pod network as text for `ip -batch` and `iptables-restore`: a bridge with one veth pair for each pod, and in each pod the capture that
 * Istio's sidecars have on Kubernetes. Everything that capture doesn't take is dropped by the kernel.
 */

export { BRIDGE_ADDRESS, PROBE_ADDRESS };
/** Relay addresses of outside hosts. */
export const RELAY_RANGE = "10.245";
/** Every proxy's own connections carry this socket mark; setting it takes a capability that no application has. */
export const PROXY_MARK = 1337;
export const OUTBOUND_PORT = 15001;
export const INBOUND_PORT = 15006;
export const DNS_PORT = 15053;

/** What sets the mark: since Linux 5.17 CAP_NET_RAW does, which changes neither rules nor addresses. `release` is the kernel's, as `uname -r` says. */
export function markCapability(release: string): "net_raw" | "net_admin" {
  const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
  return major > 5 || (major === 5 && minor >= 17) ? "net_raw" : "net_admin";
}

const FIRST_POD = 10;
const LAST_POD = 254 * 254;

/** What stands between a pod's network and the rest: a sidecar, a gateway's proxy (nothing is captured), or nothing. */
export type Capture = "sidecar" | "gateway" | "none";

/** `ip -batch` for the machine's own namespace. */
export function machineNetwork(): string {
  return `${bridgeNetwork()}addr add ${PROBE_ADDRESS}/32 dev kumiko0\n`;
}

/**
 * `ip -batch`: the network between pods, of which nobody probes any. A bridge without a hardware address of its own has the lowest of its
 * ports', another one whenever that port comes or goes: pods that know the old one then reach nothing beyond the bridge for a minute or more.
 */
export function bridgeNetwork(): string {
  return [
    "link set lo up",
    `link add kumiko0 address ${hardwareAddress(BRIDGE_ADDRESS)} type bridge`,
    `addr add ${BRIDGE_ADDRESS}/16 dev kumiko0`,
    "link set kumiko0 up",
    `route add local ${RELAY_RANGE}.0.0/16 dev lo`,
    "",
  ].join("\n");
}

/** `ip -batch` in the machine's namespace: a pod's link to the bridge. `index` is the pod's number, `pid` any process in its namespace. */
export function podLink(index: number, pid: number): string {
  const hardware = hardwareAddress(podAddress(index) ?? "");
  return `link add v${index} type veth peer name eth0 address ${hardware} netns ${pid}\nlink set v${index} master kumiko0 up\n`;
}

/** The same for the same IP address: who has it in an ARP table goes on reaching the bridge, or the next pod that gets the address. */
function hardwareAddress(address: string): string {
  const octets = address.split(".").map((octet) => Number(octet).toString(16).padStart(2, "0"));
  return ["02", "00", ...octets].join(":");
}

/** `ip -batch` in the pod's namespace. */
export function podNetwork(address: string): string {
  return ["link set lo up", `addr add ${address}/16 dev eth0`, "link set eth0 up", `route add default via ${BRIDGE_ADDRESS}`, ""].join(
    "\n",
  );
}

/**
 * `iptables-restore` for a pod. The filter table is the wall (default DROP), the nat table the door to the sidecar.
 * Redirected packets still count as leaving by eth0 when the filter looks at them, hence 127.0.0.0/8 by destination and not `-o lo` alone.
 * Envoy's resolver sets no mark on its socket, so the bridge's port 53 is open by destination: it answers only hosts that a ServiceEntry
 * opens, asks nobody else, and so carries nothing out.
 */
export function podRules(capture: Capture): string {
  if (capture === "gateway") return filterTable(GATEWAY_INPUT, GATEWAY_OUTPUT);
  if (capture === "none") return filterTable(GATEWAY_INPUT, UNCAPTURED_OUTPUT);
  return `${NAT_TABLE}${filterTable(SIDECAR_INPUT, SIDECAR_OUTPUT)}`;
}

const NAT_TABLE = `*nat
:PREROUTING ACCEPT
:OUTPUT ACCEPT
-A PREROUTING -s ${PROBE_ADDRESS} -j RETURN
-A PREROUTING -i eth0 -p tcp -j REDIRECT --to-ports ${INBOUND_PORT}
-A OUTPUT -o lo -p tcp -m mark --mark ${PROXY_MARK} ! -s ${INBOUND_SOURCE} ! -d 127.0.0.0/8 -j REDIRECT --to-ports ${INBOUND_PORT}
-A OUTPUT -m mark --mark ${PROXY_MARK} -j RETURN
-A OUTPUT -p udp -d ${BRIDGE_ADDRESS} --dport 53 -j RETURN
-A OUTPUT -p udp --dport 53 -j REDIRECT --to-ports ${DNS_PORT}
-A OUTPUT -o lo -j RETURN
-A OUTPUT -p tcp -j REDIRECT --to-ports ${OUTBOUND_PORT}
COMMIT
`;

const LOCAL_AND_ANSWERS = ["-A INPUT -i lo -j ACCEPT", "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"];
const SIDECAR_INPUT = [
  ...LOCAL_AND_ANSWERS,
  `-A INPUT -s ${PROBE_ADDRESS} -p tcp -j ACCEPT`,
  `-A INPUT -p tcp --dport ${INBOUND_PORT} -j ACCEPT`,
];
const GATEWAY_INPUT = [...LOCAL_AND_ANSWERS, "-A INPUT -p tcp -j ACCEPT"];

const LOOPBACK_AND_REPLIES = [
  "-A OUTPUT -o lo -j ACCEPT",
  "-A OUTPUT -d 127.0.0.0/8 -j ACCEPT",
  "-A OUTPUT -m conntrack --ctstate ESTABLISHED,RELATED --ctdir REPLY -j ACCEPT",
];
const SIDECAR_OUTPUT = [
  ...LOOPBACK_AND_REPLIES,
  `-A OUTPUT -p tcp -m mark --mark ${PROXY_MARK} -j ACCEPT`,
  `-A OUTPUT -p udp -d ${BRIDGE_ADDRESS} --dport 53 -j ACCEPT`,
];
/** A gateway's namespace holds no application, only its proxy, whose own connections carry the mark. */
const GATEWAY_OUTPUT = SIDECAR_OUTPUT;
/** Without a sidecar: other pods may be tried, as on Kubernetes; the bridge, the relay and everything beyond stay closed. */
const UNCAPTURED_OUTPUT = [
  ...LOOPBACK_AND_REPLIES,
  `-A OUTPUT -d ${BRIDGE_ADDRESS} -j DROP`,
  `-A OUTPUT -d ${PROBE_ADDRESS} -j DROP`,
  `-A OUTPUT -p tcp -d ${POD_RANGE} -j ACCEPT`,
];

function filterTable(input: readonly string[], output: readonly string[]): string {
  return ["*filter", ":INPUT DROP", ":FORWARD DROP", ":OUTPUT DROP", ...input, ...output, "COMMIT", ""].join("\n");
}

/** Address of the pod with this number, counted from 0; undefined when the range is used up. */
export function podAddress(index: number): string | undefined {
  const host = index + FIRST_POD;
  if (host > LAST_POD) return undefined;
  return `10.244.${Math.floor(host / 254)}.${(host % 254) + 1}`;
}
