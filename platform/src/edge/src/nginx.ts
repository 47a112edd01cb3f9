import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { canConnect, type RunningProgram, startProgram, untilReady, withoutRoot } from "@platform/setup/program";
import { type NginxSettings, toNginxConfig, toRulesFile } from "./nginx-config.ts";

export type RunningNginx = RunningProgram;

const READY_MS = 20_000;

/** Starts nginx with the rule set. @throws when it ends at once, or takes no connection in time. */
export async function startNginx(settings: NginxSettings, log: (text: string) => void): Promise<RunningNginx> {
  mkdirSync(join(settings.folder, "tmp"), { recursive: true, mode: 0o700 });
  writeFileSync(join(settings.folder, "rules.conf"), toRulesFile(settings), { mode: 0o600 });
  const file = join(settings.folder, "nginx.conf");
  // nginx writes it once it listens: another's answer on the port is not taken for its own.
  const pidFile = join(settings.folder, "nginx.pid");
  rmSync(pidFile, { force: true });
  writeFileSync(file, toNginxConfig(settings), { mode: 0o600 });
  const nginx = startProgram({
    prefix: withoutRoot("nginx is not run as root"),
    program: settings.programs.nginx,
    args: ["-e", "stderr", "-c", file],
    stopSignal: "SIGTERM",
    log,
  });
  const port = settings.httpsPort;
  const outcome = await untilReady(nginx, async () => existsSync(pidFile) && (await canConnect(port)), READY_MS);
  if (outcome === "ended") throw new Error(`nginx ended before it was ready:\n${nginx.output()}`);
  if (outcome === "late") {
    nginx.kill();
    throw new Error(`nginx takes no connection on port ${port} after ${READY_MS / 1_000} s:\n${nginx.output()}`);
  }
  return nginx;
}
