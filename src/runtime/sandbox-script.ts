import { join } from "node:path";
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
  /** The folder of the machine that a claim stands for. */
  readonly claimFolder: (claim: string) => string;
}

/**
 * The shell program that is a pod's first process: it builds a root that shows only what the pod needs, and enters it, says `staged`, waits
 * for a line (volumes have their files), mounts them, says `mounted`, waits again (the veth is there), sets the network up, says `up` and then only holds the namespaces. SIGCHLD stays ignored, so that the kernel
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
    ...stagedVolumes(script.volumes).flatMap((mount) => stageVolume(mount, script)),
    "enter_root",
    "echo staged",
    "read -r filled",
    ...parentsFirst(script.volumes).flatMap((mount, i) => mountVolume(mount, script.view, i)),
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

/**
 * `bind VOLUME PATH NUMBER`: what isn't there is made, in an overlay where a folder of the machine is shown, so that nothing appears in its file
 * system. A volume's folder is made in the volume.
 */
const PLACE = `place() {
  [ ! -d "$1" ] || return 0
  mkdir -p "$1" 2>/dev/null && return 0
  base=$(dirname "$1"); while [ ! -d "$base" ]; do base=$(dirname "$base"); done
  overlay "$base" "/.kumiko/overlay/$2" "$base"
  mkdir -p "$1"
}

bind() {
  [ -e "$1" ] || mkdir -p "$1"
  if [ -d "$1" ]; then
    place "$2" "$3"
  elif [ ! -e "$2" ]; then
    folder=$(dirname "$2")
    place "$folder" "$3"
    touch "$2" 2>/dev/null || { overlay "$folder" "/.kumiko/overlay/$3-file" "$folder"; touch "$2"; }
  fi
  mount --bind "$1" "$2"
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

function parentsFirst(volumes: VolumeMounts): VolumeMounts {
  return volumes.toSorted((a, b) => a.mountPath.split("/").length - b.mountPath.split("/").length);
}

function stagedVolumes(volumes: VolumeMounts): readonly VolumeMounts[number][] {
  return [...new Map(volumes.map((mount) => [mount.volume, mount])).values()];
}

function stageVolume({ volume, claim, sizeBytes }: VolumeMounts[number], { claimFolder }: SandboxScript): readonly string[] {
  const folder = `"$root"${quote(`${VOLUME_FOLDER}/${volume}`)}`;
  if (claim !== undefined) return [`mkdir -p ${folder}`, `mount --bind ${quote(claimFolder(claim))} ${folder}`];
  return [`mkdir -p ${folder}`, `mount -t tmpfs -o mode=0755,nosuid,nodev,size=${sizeBytes ?? "64m"} kumiko-rw ${folder}`];
}

/** What the view shows below a volume's path stays visible over the volume. */
function mountVolume(mount: VolumeMounts[number], view: readonly ViewStep[], index: number): readonly string[] {
  const { volume, mountPath, subPath = "", readOnly = false } = mount;
  const at = quote(mountPath);
  const below = view.filter(({ path, kind }) => kind !== "cover" && path !== mountPath && isUnder(path, mountPath));
  const outermost = below.filter(({ path }) => !below.some((other) => other.path !== path && isUnder(path, other.path)));
  const kept = outermost.map(({ path }, i) => ({ path: quote(path), aside: `/.kumiko/kept/${index}-${i}` }));
  return [
    ...kept.flatMap(({ path, aside }) => [`[ ! -d ${path} ] || { mkdir -p ${aside}; mount --rbind ${path} ${aside}; }`]),
    `bind ${quote(join(VOLUME_FOLDER, volume, subPath))} ${at} ${index}`,
    ...kept.flatMap(({ path, aside }) => [
      `[ ! -d ${aside} ] || { mkdir -p ${path}; mount --rbind ${aside} ${path}; umount -l ${aside}; }`,
    ]),
    ...(readOnly ? [`mount -o remount,bind,ro,nosuid,nodev ${at}`] : []),
  ];
}
