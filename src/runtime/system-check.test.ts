import { describe, expect, test } from "vitest";
import type { FilterTrial } from "./filter-way.ts";
import type { MountTrial } from "./mount-way.ts";
import { checkSystem, type SystemProbe } from "./system-check.ts";

const probe = (over: {
  platform?: string;
  missing?: readonly string[];
  files?: Record<string, string>;
  refusal?: string;
  mounts?: MountTrial;
  filter?: FilterTrial;
  isRoot?: boolean;
}): SystemProbe => ({
  platform: over.platform ?? "linux",
  isRoot: over.isRoot ?? false,
  hasProgram: (name) => !(over.missing ?? []).includes(name) && name !== "dnf",
  readFile: (path) => over.files?.[path],
  hasFile: (path) => over.files?.[path] !== undefined,
  tryNamespaces: () => over.refusal,
  tryFilter: () => over.filter ?? { way: "perl", refusal: "" },
  tryMounts: () => over.mounts ?? { way: "user-namespace", refusal: "" },
});

describe("checkSystem", () => {
  test("a system that has everything runs workloads in namespaces", () => {
    expect(checkSystem(probe({}))).toEqual({ mode: "namespaces", missing: [], weaker: [], filterWay: "perl" });
  });

  test("without a filter of system calls, what it would refuse is named, with what to install", () => {
    const filter = { way: undefined, refusal: "program perl is missing" };
    const { weaker, filterWay } = checkSystem(probe({ filter }));
    expect(weaker).toEqual([
      expect.stringMatching(/keyring, io_uring .* \(program perl is missing; it takes perl, or setpriv of util-linux 2.41\)/),
    ]);
    expect(filterWay).toBeUndefined();
  });

  test("sockets that no namespace holds are named where nothing refuses them and they lead somewhere", () => {
    const filter = { way: undefined, refusal: "program perl is missing" };
    const protocols = { "/proc/net/protocols": "protocol  size\nAF_VSOCK  1240\n" };
    const files = { ...protocols, "/dev/vsock": "" };
    expect(checkSystem(probe({ files, filter })).weaker[0]).toMatch(/AF_VSOCK/);
    expect(checkSystem(probe({ files: protocols, filter })).weaker.join()).not.toMatch(/AF_VSOCK/);
    expect(checkSystem(probe({ files })).weaker).toEqual([]);
  });

  test("a missing program stops with the command that installs it, and is no reason to fall back", () => {
    expect(checkSystem(probe({ missing: ["iptables-restore"], refusal: "sh: iptables-restore: not found" }))).toEqual({
      mode: "namespaces",
      missing: [{ program: "iptables-restore", package: "iptables", command: "sudo apt-get install iptables" }],
      weaker: [],
    });
    expect(checkSystem(probe({ missing: ["ip"], isRoot: true })).missing[0]?.command).toBe("apt-get install iproute2");
  });

  test.each([
    { title: "macOS", given: { platform: "darwin" }, reason: /darwin/ },
    {
      title: "user namespaces switched off",
      given: { files: { "/proc/sys/user/max_user_namespaces": "0\n" } },
      reason: /max_user_namespaces/,
    },
    {
      title: "user namespaces for root only",
      given: { files: { "/proc/sys/kernel/unprivileged_userns_clone": "0\n" } },
      reason: /unprivileged_userns_clone/,
    },
    {
      title: "AppArmor",
      given: { files: { "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n" }, refusal: "denied" },
      reason: /AppArmor/,
    },
    {
      title: "a container's seccomp filter",
      given: { refusal: "unshare: unshare failed: Operation not permitted" },
      reason: /not permitted/,
    },
  ])("$title leads to local ports, and says what is weaker", ({ given, reason }) => {
    const check = checkSystem(probe(given));
    expect(check).toMatchObject({ mode: "ports", missing: [] });
    expect(check.reason).toMatch(reason);
    expect(check.weaker.length).toBeGreaterThan(0);
  });

  test("AppArmor's switch alone decides nothing where namespaces work nevertheless", () => {
    expect(checkSystem(probe({ files: { "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n" } })).mode).toBe("namespaces");
  });

  test.each([
    { title: "as root", isRoot: true, remedy: /mounting is allowed/ },
    { title: "as an ordinary user", isRoot: false, remedy: /as root/ },
  ])("without mounts, $title, names can't be had: that is said, with what to do", ({ isRoot, remedy }) => {
    const check = checkSystem(probe({ refusal: "no", mounts: { way: undefined, refusal: "unshare: denied" }, isRoot }));
    expect(check.weaker.at(-1)).toMatch(/look up each other's names/);
    expect(check.remedy).toMatch(remedy);
    expect(checkSystem(probe({ refusal: "no" })).weaker.join()).not.toMatch(/names/);
  });

  test("a switch that forbids namespaces is named as what to turn", () => {
    const files = { "/proc/sys/kernel/unprivileged_userns_clone": "0\n" };
    expect(checkSystem(probe({ files })).remedy).toBe("sudo sysctl -w kernel.unprivileged_userns_clone=1");
  });

  test("mode ports can be asked for", () => {
    expect(checkSystem(probe({}), "ports").mode).toBe("ports");
  });
});
