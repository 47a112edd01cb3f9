import { podNetwork, podRules, type Capture } from "./network.ts";
import { quote } from "../base/shell.ts";
import { isUnder, type ViewStep } from "./pod-view.ts";
import { ROOT_FUNCTIONS } from "./root-script.ts";
import { VOLUME_FOLDER, type VolumeMounts } from "./volume.ts";

export interface SandboxScript {
  /** An empty folder of the machine's, where the pod's root is built. */
  readonly root: string;
  readonly hostname: string;
  readonly address: string;
  readonly namespace: string;
  readonly capture: Capture;
  readonly view: readonly ViewStep[];
  readonly volumes: VolumeMounts;
}

/**
 * The shell program that is a pod's first process: it builds a root that shows only what the pod needs, and enters it, says `mounted`, waits
 * for a line (the veth is there), sets the network up, says `up` and then only holds the namespaces. SIGCHLD stays ignored, so that the kernel
 * reaps what applications leave behind.
 */
export function sandboxScript(script: SandboxScript): string {
  return [
    "set -e",
    "trap '' CHLD",
    `echo ${quote(script.hostname)} > /proc/sys/kernel/hostname || true`,
    ROOT_FUNCTIONS,
    PLACE,
    `begin ${quote(script.root)}`,
    ...script.view.map(({ path, kind }, i) => `${kind} ${quote(path)} ${i}`),
    "settle",
    "devices",
    ...nameFiles(script),
    ...[...new Set(script.volumes.map(({ volume }) => volume))].flatMap(stageVolume),
    "enter_root",
    ...script.volumes.flatMap((mount, i) => mountVolume(mount, script.view, i)),
    "echo mounted",
    "read -r go",
    `ip -batch - <<'EOT'\n${podNetwork(script.address)}EOT`,
    "[ ! -d /proc/sys/net/ipv6 ] || echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6",
    `iptables-restore <<'EOT'\n${podRules(script.capture)}EOT`,
    "close_kernel",
    "close_root",
    "echo up",
    "exec sleep infinity </dev/null >/dev/null 2>&1",
    "",
  ].join("\n");
}

/** A folder that doesn't exist is made in an overlay, so that nothing appears in the file system of the machine. */
const PLACE = `place() {
  [ ! -d "$1" ] || return 0
  mkdir -p "$1" 2>/dev/null && return 0
  base=$(dirname "$1"); while [ ! -d "$base" ]; do base=$(dirname "$base"); done
  layers="/.kumiko/overlay/$2"
  mkdir -p "$layers/upper" "$layers/work"
  mount -t overlay -o "lowerdir=$base,upperdir=$layers/upper,workdir=$layers/work" kumiko-rw "$base"
  mkdir -p "$1"
}
`;

function nameFiles({ namespace, address, hostname }: SandboxScript): readonly string[] {
  const resolver = `nameserver 10.96.0.10\nsearch ${namespace}.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n`;
  const hosts = `127.0.0.1 localhost\n::1 localhost ip6-localhost\n${address} ${hostname}\n`;
  return [
    `printf %s ${quote(resolver)} > "$root/etc/resolv.conf"`,
    `printf %s ${quote(hosts)} > "$root/etc/hosts"`,
    `printf '%s\\n' ${quote(hostname)} > "$root/etc/hostname"`,
  ];
}

function stageVolume(volume: string): readonly string[] {
  const folder = `"$root"${quote(`${VOLUME_FOLDER}/${volume}`)}`;
  return [`mkdir -p ${folder}`, `mount -t tmpfs -o mode=0755,nosuid,nodev,size=64m kumiko-rw ${folder}`];
}

/** What the view shows below a volume's path stays visible over the volume. */
function mountVolume({ volume, mountPath }: VolumeMounts[number], view: readonly ViewStep[], index: number): readonly string[] {
  const at = quote(mountPath);
  const below = view.filter(({ path, kind }) => kind !== "cover" && path !== mountPath && isUnder(path, mountPath));
  const outermost = below.filter(({ path }) => !below.some((other) => other.path !== path && isUnder(path, other.path)));
  const kept = outermost.map(({ path }, i) => ({ path: quote(path), aside: `/.kumiko/kept/${index}-${i}` }));
  return [
    `place ${at} ${index}`,
    ...kept.flatMap(({ path, aside }) => [`[ ! -d ${path} ] || { mkdir -p ${aside}; mount --rbind ${path} ${aside}; }`]),
    `mount --bind ${quote(`${VOLUME_FOLDER}/${volume}`)} ${at}`,
    ...kept.flatMap(({ path, aside }) => [
      `[ ! -d ${aside} ] || { mkdir -p ${path}; mount --rbind ${aside} ${path}; umount -l ${aside}; }`,
    ]),
  ];
}
