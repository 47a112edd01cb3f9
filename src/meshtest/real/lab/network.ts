import { BRIDGE_ADDRESS, bridgeNetwork, podLink, podNetwork, podRules } from "../../../runtime/network.ts";
import type { PodPlan } from "./protocol.ts";

/** A script says this line as soon as it is in a network namespace of its own, and waits for one line before it goes on. */
export const HERE = "here";

/**
 * Program for `sh` in a fresh network namespace: the network between a mesh's pods, then the command that stands for all that is outside.
 * Nothing leads out of it; what is nowhere is refused at once, hence the forwarding.
 */
export function meshScript(command: string): string {
  return [
    "set -e",
    "echo 1 > /proc/sys/net/ipv4/ip_forward",
    // Refusals are what tests are about: none is left out because there were many.
    "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit",
    NO_IPV6,
    `ip -batch - <<'EOT'\n${bridgeNetwork()}route add default dev kumiko0\nEOT`,
    `iptables-restore <<'EOT'\n${NOWHERE}EOT`,
    `echo ${HERE}`,
    "read -r go",
    `exec ${command}`,
    "",
  ].join("\n");
}

/** Without a route the kernel would refuse, too, but only once a second for each pod (`net.ipv4.route.error_cost`, which no namespace can change). */
const NOWHERE = `*filter
-A FORWARD ! -d ${BRIDGE_ADDRESS}/16 -j REJECT --reject-with icmp-net-unreachable
COMMIT
`;

/** Program for `sh` in a fresh network namespace: waits for its link to the bridge, captures as `up` does, then runs the pod's command. */
export function podScript({ address, role }: PodPlan, command: string): string {
  return [
    "set -e",
    NO_IPV6,
    `echo ${HERE}`,
    "read -r go",
    `ip -batch - <<'EOT'\n${podNetwork(address)}EOT`,
    "echo 100 > /proc/sys/net/ipv4/neigh/eth0/retrans_time_ms",
    `iptables-restore <<'EOT'\n${podRules(role)}EOT`,
    `exec ${command}`,
    "",
  ].join("\n");
}

const NO_IPV6 = "[ ! -d /proc/sys/net/ipv6 ] || echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6";

/** `ip -batch` in the mesh's namespace: a link to the bridge for every pod, by the pid of a process in its namespace. */
export function podLinks(pids: readonly number[]): string {
  return pids.map((pid, i) => podLink(i, pid)).join("");
}

/** `ip -batch` in the mesh's namespace: more addresses that are its own. */
export function ownAddresses(addresses: readonly string[]): string {
  return addresses.map((address) => `addr replace ${address}/32 dev lo\n`).join("");
}
