import { findEnvoy } from "../agent/index.ts";
import { selfCommand } from "../controlplane/self.ts";
import type { Lab } from "../meshtest/index.ts";
import { createLab } from "../meshtest/real/lab/create-lab.ts";
import type { Io } from "./io.ts";

/** What `kumiko test` runs real proxies in. @throws MeshError with what to do, where this machine can't. */
export async function openLab(io: Io, envoy: string | undefined): Promise<Lab> {
  const { environment, stderr } = io;
  const onStep = (text: string) => stderr.write(`${text}\n`);
  const { path } = await findEnvoy({ explicit: envoy ?? environment.envoy, cacheDir: environment.cacheDir, onStep });
  return createLab({ envoyPath: path, selfCommand: selfCommand(), runtimeDir: environment.runtimeDir });
}
