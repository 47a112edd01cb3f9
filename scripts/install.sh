#!/bin/sh
# Installs what is missing in a clone, and says so: npm packages, generated sources and, with --system, system packages that a mesh needs.
# --system --edge also names what the platform's firewall needs and goes on without it; --system --tests installs that, and a browser, as root.
# Costs a few milliseconds where nothing is missing: ./kumiko runs it before every command.
set -eu
cd "$(dirname "$0")/.."
stamp=node_modules/.kumiko-lock

say() { printf '%s\n' "$*" >&2; }

# Debian's "ip" and "iptables" are in folders that an ordinary user's PATH often lacks.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

# What a mesh on this machine runs, and the Debian package that has it.
missing_packages() {
  for entry in ip:iproute2 iptables:iptables unshare:util-linux nsenter:util-linux mount:mount; do
    command -v "${entry%%:*}" >/dev/null 2>&1 || printf '%s\n' "${entry#*:}"
  done | sort -u | tr '\n' ' ' | sed 's/ $//'
}

# install_packages WHY PACKAGE...: through apt-get as root; otherwise names the command and gives up.
install_packages() {
  why=$1
  shift
  if ! command -v apt-get >/dev/null 2>&1; then
    say "error: $why needs programs that are not there; install the packages that hold them (Debian's names): $*"
    exit 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    say "error: $why needs system packages that are not there: $*"
    say "       install them with:  sudo apt-get install -y $*"
    exit 1
  fi
  say "install: system packages $* (apt-get)"
  run_apt "$@" || { apt-get update -q >&2 && run_apt "$@"; } || {
    say "error: apt-get could not install $*"
    exit 1
  }
}

# Debian starts what it installs, now and at each boot. Here programs are wanted, not services: a web server on port 80, for one.
run_apt() (
  services=$(enabled_services)
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >&2 || exit 1
  for service in $(enabled_services); do
    case " $services " in *" $service "*) ;; *) disable_service "$service" ;; esac
  done
)

# What would be started at the next boot, by systemd or by the older scripts, on one line.
enabled_services() {
  for link in /etc/systemd/system/*.wants/*.service /etc/rc3.d/S*; do
    [ -L "$link" ] || continue
    name=${link##*/}
    case "$name" in *.service) name=${name%.service} ;; *) name=${name#S??} ;; esac
    printf '%s\n' "$name"
  done | sort -u | tr '\n' ' '
}

disable_service() {
  say "install: the service $1 is not enabled; only its program is used"
  if [ -d /run/systemd/system ]; then
    systemctl --quiet disable --now "$1.service" >&2 || true
  else
    deb-systemd-helper disable "$1.service" >/dev/null 2>&1 || true
  fi
  [ ! -e "/etc/init.d/$1" ] || update-rc.d "$1" disable >/dev/null 2>&1 || true
}

# The platform's load balancer and firewall.
edge_packages() {
  [ -x /usr/sbin/nginx ] || printf 'nginx '
  [ -e /usr/lib/nginx/modules/ngx_http_modsecurity_module.so ] || printf 'libnginx-mod-http-modsecurity '
  [ -d /usr/share/modsecurity-crs/rules ] || printf 'modsecurity-crs '
}

# What is skipped where it is not there; in CI nothing may be.
optional_packages() {
  edge_packages
  [ "$1" = --tests ] || return 0
  [ -x /usr/bin/chromium ] || printf 'chromium '
  # Gives a process another clock.
  command -v faketime >/dev/null 2>&1 || printf 'faketime '
  # Kafka comes from Maven's packages.
  command -v java >/dev/null 2>&1 || printf 'default-jre-headless '
  command -v mvn >/dev/null 2>&1 || printf 'maven '
}

if [ "${1:-}" = --system ] && [ "$(uname -s)" = Linux ]; then
  packages=$(missing_packages)
  # shellcheck disable=SC2086 # one word a package
  [ -z "$packages" ] || install_packages "a mesh on this machine" $packages
  optional=
  [ -z "${2:-}" ] || optional=$(optional_packages "$2")
  if [ -n "$optional" ] && [ "$2" = --tests ] && [ -n "${CI:-}" ]; then
    # shellcheck disable=SC2086 # one word a package
    install_packages "testing the platform" $optional
  elif [ -n "$optional" ] && ! { [ "$2" = --tests ] && [ "$(id -u)" -eq 0 ] && (install_packages "testing the platform" $optional); }; then
    say "note: going on without ${optional% }: $([ "$2" = --tests ] && echo "some tests are skipped" || echo "the platform has no firewall")"
    say "      (Debian's names; sudo apt-get install -y ${optional% })"
  fi
fi

# By content, because a checkout changes every file's time; `npm install` leaves a lock file of its own that is newer than ours.
installed() {
  [ -x node_modules/.bin/node ] || return 1
  cmp -s package-lock.json "$stamp" && return 0
  [ -f node_modules/.package-lock.json ] && [ ! package-lock.json -nt node_modules/.package-lock.json ] && cp package-lock.json "$stamp"
}

generated=src/gen/inputs.sha256
is_generated() {
  [ -f "$generated" ] && [ ! package-lock.json -nt "$generated" ] && [ -z "$(find proto scripts/gen* -newer "$generated" -print -quit)" ]
}

if installed && is_generated; then exit 0; fi

# One at a time: two commands may start together in a fresh clone.
if command -v flock >/dev/null 2>&1; then
  exec 9<package.json
  flock 9
fi

if ! installed; then
  command -v npm >/dev/null 2>&1 || install_packages "the build" nodejs npm
  say "install: npm packages (npm ci)"
  rm -f "$stamp"
  npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error >&2 || {
    say "error: npm ci failed (above); once it is put right, run the command again"
    exit 1
  }
  [ -x node_modules/.bin/node ] || {
    say "error: npm installed no Node 24 for this machine ($(uname -sm)); it has one for Linux and macOS on x86-64 and ARM64"
    exit 1
  }
  cp package-lock.json "$stamp"
fi

if ! is_generated; then
  [ -f "$generated" ] || say "install: generated sources (npm run gen)"
  PATH="$PWD/node_modules/.bin:$PATH" node scripts/gen.ts >&2
  touch "$generated"
fi
