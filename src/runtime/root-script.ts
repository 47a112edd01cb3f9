/**
 * Shell functions that build a root file system which shows what it is told to and nothing else: a container's view without an image.
 * `begin FOLDER` comes first, then `show`, `cover` and `scratch` with parents before children, then `settle`, `devices`, and `enter_root`, after
 * which the machine's own file system is gone. Needs the capabilities of a mount namespace's owner.
 */
export const ROOT_FUNCTIONS = `umask 022

begin() {
  root=$1
  mount -t tmpfs -o mode=0755,nosuid,nodev,size=64m kumiko-root "$root"
  for folder in tmp run var var/tmp var/log; do
    mkdir -p "$root/$folder"
    case $folder in var) ;; *) mount -t tmpfs -o mode=1777,nosuid,nodev,size=256m kumiko-rw "$root/$folder" ;; esac
  done
  mkdir "$root/proc" "$root/dev" "$root/etc" "$root/.kumiko"
  ln -s ../run "$root/var/run"
  for path in /usr /bin /sbin /lib /lib32 /lib64 /libx32 /nix/store /gnu/store; do show_entry $path; done
  for path in /sys/devices/system /sys/fs/cgroup /sys/kernel/mm/transparent_hugepage; do show $path; done
  for path in ${etcEntries()}; do show_entry "$path"; done
}

# A file or folder, with all that is mounted in it, under its own path. What isn't there isn't needed.
show() {
  [ -e "$1" ] || return 0
  if [ -d "$1" ]; then
    mkdir -p "$root$1"
  else
    mkdir -p "$(dirname "$root$1")"
    [ -e "$root$1" ] || : > "$root$1"
  fi
  mount --rbind "$1" "$root$1"
}

# The same; a symbolic link stays one.
show_entry() {
  if [ -L "$1" ]; then
    mkdir -p "$(dirname "$root$1")"
    cp -P "$1" "$root$1"
  else
    show "$1"
  fi
}

# Nothing is found there.
cover() {
  if [ -d "$root$1" ]; then
    mount -t tmpfs -o mode=0755,nosuid,nodev,size=64m kumiko-cover "$root$1"
  elif [ -e "$root$1" ]; then
    mount --bind /dev/null "$root$1"
  fi
}

# overlay FOLDER LAYERS POINT: shows a folder, and changes to it go to LAYERS. Paths may hold what separates or escapes in a mount's options: none
# is named there.
overlay() {
  mkdir -p "$3" "$2/lower" "$2/upper" "$2/work"
  mount --bind "$1" "$2/lower"
  (cd "$2" && mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work kumiko-rw "$3")
  umount "$2/lower"
}

# Changes to a folder go to memory, and are gone with the root.
scratch() {
  overlay "$1" "$root/.kumiko/overlay/$2" "$root$1"
}

# Whoever owns a file may change it, whatever his capabilities: all that is shown becomes read-only. What can't is hidden.
settle() {
  while read -r id parent device from point options rest; do
    point=$(printf %b. "$point")
    point=\${point%.}
    case "$point" in "$root"/*) ;; *) continue ;; esac
    case "$rest" in *"- "*" kumiko-rw "*) continue ;; esac
    case "$rest" in *"- devtmpfs "*) continue ;; esac
    mount -o "remount,bind,ro,nosuid,nodev\${options#r[ow]}" "$point" 2>/dev/null && continue
    if [ -d "$point" ]; then mount -t tmpfs -o ro kumiko-cover "$point"; else mount --bind /dev/null "$point"; fi
  done < /proc/self/mountinfo
}

# Devices that harm nobody; a disk's node would be as open as its owner may open it.
devices() {
  mount -t tmpfs -o mode=0755,nosuid,size=64m kumiko-rw "$root/dev"
  for name in null zero full random urandom tty; do
    : > "$root/dev/$name"
    mount --bind /dev/$name "$root/dev/$name"
  done
  mkdir -m 1777 "$root/dev/shm"
  ln -s /proc/self/fd "$root/dev/fd"
  ln -s /proc/self/fd/0 "$root/dev/stdin"
  ln -s /proc/self/fd/1 "$root/dev/stdout"
  ln -s /proc/self/fd/2 "$root/dev/stderr"
}

enter_root() {
  mount --rbind /proc "$root/proc"
  mkdir "$root/.kumiko/old"
  cd "$root"
  pivot_root . .kumiko/old
  umount -l /.kumiko/old
}

# The owner of a network namespace may write its sysctls without any capability: IPv6 could be switched on again. Keys are those of the session.
close_kernel() {
  [ ! -e /proc/keys ] || mount --bind /dev/null /proc/keys
  for path in /proc/sys /proc/bus /proc/fs /proc/irq /proc/sysrq-trigger; do
    [ -e $path ] || continue
    mount --bind $path $path
    mount -o remount,bind,ro,nosuid,nodev,noexec $path
  done
}

close_root() {
  mount -o remount,bind,ro,nosuid,nodev /
}
`;

/**
 * What programs look for in /etc: the loader's cache, public certificates, names of users, services and time zones, and the settings of language
 * runtimes. Neither passwords nor private keys, nor what a person has put there for the machine.
 */
function etcEntries(): string {
  const names = [
    ..."ld.so.cache ld.so.conf ld.so.conf.d ssl/certs ssl/openssl.cnf ca-certificates pki/tls/certs pki/tls/openssl.cnf".split(" "),
    ..."pki/ca-trust crypto-policies passwd group nsswitch.conf localtime timezone host.conf gai.conf protocols services".split(" "),
    ..."os-release debian_version alpine-release mime.types magic alternatives fonts terminfo java* python* perl".split(" "),
  ];
  return names.map((name) => `/etc/${name}`).join(" ");
}

/** Folders that every root shows. */
export const SYSTEM_FOLDERS: readonly string[] = [
  "/usr",
  "/bin",
  "/sbin",
  "/lib",
  "/lib32",
  "/lib64",
  "/libx32",
  "/nix/store",
  "/gnu/store",
];
