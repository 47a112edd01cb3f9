import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

export interface ListenedPort {
  readonly transport: "tcp" | "udp";
  readonly port: number;
}

/** Ports of proxies (15000 to 15099) on which somebody listens in a process's network namespace. */
export function proxyPorts(pid: number): readonly ListenedPort[] {
  return (["tcp", "udp"] as const).flatMap((transport) =>
    ["", "6"].flatMap((family) =>
      readFileSync(`/proc/${pid}/net/${transport}${family}`, "utf8")
        .trim()
        .split("\n")
        .slice(1)
        .map((line) => line.trim().split(/\s+/))
        .filter(([, , , state]) => transport === "udp" || state === "0A")
        .map(([, local = ""]) => ({ transport, port: Number.parseInt(local.slice(local.lastIndexOf(":") + 1), 16) }))
        .filter(({ port }) => port >= 15_000 && port < 15_100),
    ),
  );
}

/** Says `listens`, or the kernel's refusal, for each address. */
const SHARE = `const [transport, port] = process.argv.slice(1);
for (const host of ["0.0.0.0", "127.0.0.1", "::"]) {
  const options = { host, address: host, port: Number(port), reusePort: true };
  const socket = transport === "tcp"
    ? require("net").createServer()
    : require("dgram").createSocket({ type: host === "::" ? "udp6" : "udp4", reusePort: true, reuseAddr: true });
  socket.once("error", ({ code }) => console.log(code)).once("listening", () => (console.log("listens"), socket.close()));
  if (transport === "tcp") socket.listen(options); else socket.bind(options);
}`;

/** What a program of the same user as the process, in its network namespace, is told that asks to share a port. */
export function tryToShare(pid: number, { transport, port }: ListenedPort): readonly string[] {
  const enter = ["--target", String(pid), "--user", "--net", "--setuid", "0", "--setgid", "0", "--"];
  const { stdout, stderr } = spawnSync("nsenter", [...enter, process.execPath, "-e", SHARE, transport, String(port)], { encoding: "utf8" });
  return stdout === "" ? [stderr] : stdout.trim().split("\n");
}
