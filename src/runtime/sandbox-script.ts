import { podNetwork, podRules, type Capture } from "./network.ts";
import { quote } from "../base/shell.ts";
import { VOLUME_FOLDER } from "./volume.ts";

export interface SandboxScript {
  readonly hostname: string;
  readonly address: string;
  readonly namespace: string;
  readonly capture: Capture;
  /** Folders that are hidden behind an empty one: sockets of the system and of the mesh, keys, other pods' files. */
  readonly hidden: readonly string[];
  /** Folders that stay visible although they lie under a hidden one. */
  readonly visible: readonly string[];
  /** Writable without a trace: what an application writes there is gone with the pod, as in a container. */
  readonly scratch: string;
  /** Folders under `visible` ones that are hidden again. */
  readonly hiddenAgain: readonly string[];
  readonly volumes: readonly { readonly volume: string; readonly mountPath: string }[];
}

/**
 * The shell program that is a pod's first process: it makes what it found read-only, hides folders, says `mounted`, waits for a line (the
 * veth is there), sets the network up, says `up` and then only holds the namespaces. SIGCHLD stays ignored, so that the kernel reaps what
 * applications leave behind.
 */
export function sandboxScript(script: SandboxScript): string {
  return [
    "set -e",
    "trap '' CHLD",
    `echo ${quote(script.hostname)} > /proc/sys/kernel/hostname || true`,
    READ_ONLY,
    ...script.visible.map((folder, i) => `exec ${i + 4}<${quote(folder)}`),
    ...script.hidden.map(cover),
    DEVICES,
    ...script.visible.flatMap((folder, i) => [
      `mkdir -p ${quote(folder)}`,
      `mount -c --bind /proc/self/fd/${i + 4} ${quote(folder)}`,
      `exec ${i + 4}<&-`,
    ]),
    overlay(quote(script.scratch), "scratch"),
    ...script.hiddenAgain.map(cover),
    ...[...new Set(script.volumes.map(({ volume }) => volume))].flatMap(stageVolume),
    ...script.volumes.flatMap(({ volume, mountPath }, i) => mountVolume(volume, mountPath, i)),
    replaceFile(
      "/etc/resolv.conf",
      `nameserver 10.96.0.10\nsearch ${script.namespace}.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n`,
    ),
    replaceFile("/etc/hosts", `127.0.0.1 localhost\n::1 localhost ip6-localhost\n${script.address} ${script.hostname}\n`),
    "echo mounted",
    "read -r go",
    `ip -batch - <<'EOT'\n${podNetwork(script.address)}EOT`,
    "[ ! -d /proc/sys/net/ipv6 ] || echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6",
    `iptables-restore <<'EOT'\n${podRules(script.capture)}EOT`,
    KERNEL_READ_ONLY,
    "echo up",
    "exec sleep infinity </dev/null >/dev/null 2>&1",
    "",
  ].join("\n");
}

/**
 * Applications keep the user's uid (no other is mapped), and so the rights of an owner. What they must not change, they find read-only:
 * every file system, in particular the mesh's own configuration. One that can't be made so is hidden.
 */
const READ_ONLY = `while read -r id parent device root point options rest; do
  case ",$options," in *,ro,*) continue ;; esac
  point=$(printf %b "$point")
  case "$point" in /proc | /proc/* | /dev | /dev/*) continue ;; esac
  [ -e "$point" ] || continue
  mount -o "remount,bind,ro\${options#rw}" "$point" 2>/dev/null && continue
  if [ -d "$point" ]; then mount -t tmpfs -o ro tmpfs "$point"; else mount --bind /dev/null "$point"; fi
done < /proc/self/mountinfo`;

/** Devices that harm nobody; a disk's node would be as open as its owner may open it. */
const DEVICES = `mkdir -p /run/.kumiko/dev
mount -t tmpfs -o mode=0755,nosuid,size=64m tmpfs /run/.kumiko/dev
for name in null zero full random urandom tty; do
  : > /run/.kumiko/dev/$name
  mount --bind /dev/$name /run/.kumiko/dev/$name
done
mkdir -m 1777 /run/.kumiko/dev/shm
ln -s /proc/self/fd /run/.kumiko/dev/fd
ln -s /proc/self/fd/0 /run/.kumiko/dev/stdin
ln -s /proc/self/fd/1 /run/.kumiko/dev/stdout
ln -s /proc/self/fd/2 /run/.kumiko/dev/stderr
mount --rbind /run/.kumiko/dev /dev`;

/** The owner of a network namespace may write its sysctls without any capability: IPv6 could be switched on again. */
const KERNEL_READ_ONLY = `for path in /proc/sys /proc/bus /proc/fs /proc/irq /proc/sysrq-trigger; do
  [ -e $path ] || continue
  mount --bind $path $path
  mount -o remount,bind,ro,nosuid,nodev,noexec $path
done`;

/** Changes to a folder go to memory. `at` is quoted already. */
function overlay(at: string, name: string): string {
  const layers = `/run/.kumiko/overlay/${name}`;
  return `mkdir -p ${layers}/upper ${layers}/work
mount -t overlay -o lowerdir=${at},upperdir=${layers}/upper,workdir=${layers}/work overlay ${at}`;
}

function cover(folder: string): string {
  return `if [ -d ${quote(folder)} ]; then mount -t tmpfs -o mode=0755,nosuid,nodev,size=256m tmpfs ${quote(folder)}; fi`;
}

function stageVolume(volume: string): readonly string[] {
  const folder = quote(`${VOLUME_FOLDER}/${volume}`);
  return [`mkdir -p ${folder}`, `mount -t tmpfs -o mode=0755,nosuid,nodev,size=64m tmpfs ${folder}`];
}

/** A folder that doesn't exist is made in an overlay, so that nothing appears in the file system of the machine. */
function mountVolume(volume: string, mountPath: string, index: number): readonly string[] {
  const at = quote(mountPath);
  return [
    `if [ ! -d ${at} ]; then`,
    `  base=$(dirname ${at}); while [ ! -d "$base" ]; do base=$(dirname "$base"); done`,
    `  if [ "$base" = / ]; then echo "there is no folder "${at}", and none can be made in /" >&2; exit 1; fi`,
    `  if [ "$(stat -f -c %T "$base")" != tmpfs ] && [ "$(stat -f -c %T "$base")" != overlayfs ]; then`,
    `    ${overlay('"$base"', String(index))}`,
    "  fi",
    `  mkdir -p ${at}`,
    "fi",
    `mount --bind ${quote(`${VOLUME_FOLDER}/${volume}`)} ${at}`,
  ];
}

/** On many systems /etc/resolv.conf points into /run, which is empty by now: then the file is made there. */
function replaceFile(path: string, content: string): string {
  const copy = `/run/.kumiko/${path.slice(1).replaceAll("/", "-")}`;
  return [
    "mkdir -p /run/.kumiko",
    `printf %s ${quote(content)} > ${copy}`,
    `target=$(readlink -m ${path})`,
    `if [ -e "$target" ]; then mount --bind ${copy} "$target"; else mkdir -p "$(dirname "$target")"; cp ${copy} "$target"; fi`,
  ].join("\n");
}
