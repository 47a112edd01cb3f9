import { expect, test } from "vitest";
import { MeshError } from "../../../model/error.ts";
import type { SystemCheck } from "../../../runtime/system-check.ts";
import { checkMachine } from "./check-machine.ts";

const iptables = { program: "iptables-restore", package: "iptables", command: "sudo apt-get install iptables" };
const ip = { program: "ip", package: "iproute2", command: "sudo apt-get install iproute2" };
const noNamespaces = { mode: "ports", missing: [], weaker: [] } as const;

test.each<[string, SystemCheck, string, string]>([
  [
    "a program is missing",
    { mode: "namespaces", missing: [iptables, ip], weaker: [] },
    "iptables-restore is missing (and ip)",
    iptables.command,
  ],
  ["namespaces are forbidden", { ...noNamespaces, reason: "AppArmor forbids user namespaces" }, "AppArmor forbids", "leave --real"],
  ["the system doesn't say why", noNamespaces, "it says nothing more", "leave --real"],
])("where %s, the error says what to do", (_name, system, message, help) => {
  const check = () => checkMachine(system);
  expect(check).toThrow(MeshError);
  expect(check).toThrow(message);
  expect(check).toThrow(expect.objectContaining({ help: expect.stringContaining(help) as string }) as Error);
});

test("a system that has everything passes", () => {
  expect(() => checkMachine({ mode: "namespaces", missing: [], weaker: [] })).not.toThrow();
});
