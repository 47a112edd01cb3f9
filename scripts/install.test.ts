import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-install-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Enables a service as Debian's packages do, and starts it where the machine's policy lets it. */
const APT_GET = `#!/bin/sh
if [ -x /usr/sbin/policy-rc.d ] && /usr/sbin/policy-rc.d nginx start; [ $? = 101 ]; then :; else echo "nginx was started"; fi
mkdir -p /etc/systemd/system/multi-user.target.wants
ln -sf /lib/systemd/system/nginx.service /etc/systemd/system/multi-user.target.wants/nginx.service
`;

/** Stands in for Debian's own, which looks for the unit's file. */
const DEB_SYSTEMD_HELPER = `#!/bin/sh
[ "$1" = disable ] && rm -f "/etc/systemd/system/multi-user.target.wants/$2"
`;

/** Runs the script on a machine of its own on which nothing of the system is installed; prints which services are enabled then. */
function install(before: string): string {
  writeFileSync(join(folder, "apt-get"), APT_GET, { mode: 0o755 });
  writeFileSync(join(folder, "deb-systemd-helper"), DEB_SYSTEMD_HELPER, { mode: 0o755 });
  const script = `set -e
    for hidden in /etc/systemd/system /etc/rc3.d /usr/sbin /run; do [ ! -d "$hidden" ] || mount -t tmpfs tmpfs "$hidden"; done
    mkdir -p /etc/systemd/system/multi-user.target.wants
    ${before}
    PATH=${folder}:/usr/local/bin:/usr/bin:/bin sh scripts/install.sh --system --tests
    echo "enabled: $(ls /etc/systemd/system/multi-user.target.wants | tr '\\n' ' ')"
    echo "policy: $(cat /usr/sbin/policy-rc.d 2>&1 | tail -n 1)"`;
  const { stdout, stderr } = spawnSync("unshare", ["--user", "--map-root-user", "--mount", "sh", "-c", script], {
    cwd: root,
    encoding: "utf8",
    env: { CI: "true" },
  });
  return `${stdout}\n${stderr}`;
}

test("a web server that is installed for its program is neither started nor enabled, and what was enabled stays", () => {
  const said = install("ln -s /lib/systemd/system/cron.service /etc/systemd/system/multi-user.target.wants/cron.service");
  expect(said).toContain("install: system packages");
  expect(said).toMatch(/^enabled: cron.service $/m);
  expect(said).not.toContain("nginx was started");
  expect(said).toMatch(/^policy: .*No such file/m);
});

test("a machine's own policy for starting services stays as it is", () => {
  const said = install("printf '#!/bin/sh\\nexit 101\\n# own\\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d");
  expect(said).toMatch(/^policy: # own$/m);
  expect(said).toMatch(/^enabled: $/m);
});
