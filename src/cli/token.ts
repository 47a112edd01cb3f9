import { spawn } from "node:child_process";
import { placesOf } from "../controlplane/config.ts";
import { MeshError } from "../model/error.ts";
import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import { getMesh } from "./find-mesh.ts";
import type { Io } from "./io.ts";

export const token = defineCommand({
  name: "token",
  summary: "Get an access token for a user from the identity provider that the mesh's folder names",
  arguments: [
    { name: "action", help: "what to do", choices: ["create"] },
    { name: "user", help: "one of the provider's demo users" },
  ],
  options: {
    ttl: { type: "string", value: "SECONDS", help: "make one that ends then (negative: has ended), to see it refused" },
    audience: { type: "string", value: "NAME", help: "make one for another audience, to see it refused" },
    issuer: { type: "string", value: "URL", help: "make one of another issuer, to see it refused" },
  },
  examples: ["kumiko token create alice", 'curl -H "authorization: Bearer $(kumiko token create alice)" …'],
  async run({ args, options, io }) {
    const { record, state } = getMesh(options, io);
    const extra = (["ttl", "audience", "issuer"] as const).flatMap((key) =>
      options[key] === undefined ? [] : [`--${key}=${options[key]}`],
    );
    const [{ readLaunchSettings }, { programEnvironment }] = await Promise.all([
      import("../controlplane/launch-settings.ts"),
      import("../controlplane/prepare.ts"),
    ]);
    const settings = readLaunchSettings(placesOf(record.root, io.environment, state), io.environment);
    if (settings.token.length === 0) {
      throw new MeshError("usage", `the kumiko.yaml of ${record.root} names no command that gives tokens`, {
        help: "add to it:  token: { command: [PROGRAM, ARGUMENT...] }",
      });
    }
    const env = programEnvironment(settings, io.environment);
    return await runCommand([...settings.token, args[1] ?? "", ...extra], record.root, env, io);
  },
});

function runCommand(command: readonly string[], cwd: string, env: NodeJS.ProcessEnv, io: Io): Promise<number> {
  const [program = "", ...args] = command;
  return new Promise((done, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.on("data", (part: Buffer) => io.stdout.write(part.toString("utf8")));
    child.stderr.on("data", (part: Buffer) => io.stderr.write(part.toString("utf8")));
    child.on("error", (cause) => reject(new MeshError("missing-program", `can't run ${program}`, { cause })));
    child.on("close", (code) => done(code === 0 ? EXIT.done : EXIT.failed));
  });
}
