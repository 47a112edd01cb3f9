import { tmpdir } from "node:os";
import { defaultCacheDir, findEnvoy } from "../../src/agent/envoy-binary.ts";
import { selfCommand } from "../../src/controlplane/self.ts";
import { createLab } from "../../src/meshtest/real/lab/create-lab.ts";
import type { Lab } from "../../src/meshtest/real/lab.ts";

/** Real Envoys on this machine, as `kumiko test --real` has them. @throws MeshError with what to do, where there can be none. */
export async function startLab(environment: NodeJS.ProcessEnv): Promise<Lab> {
  const { path } = await findEnvoy({ explicit: environment["KUMIKO_ENVOY"], cacheDir: defaultCacheDir(environment) });
  return createLab({ envoyPath: path, selfCommand: selfCommand(), runtimeDir: environment["XDG_RUNTIME_DIR"] ?? tmpdir() });
}
