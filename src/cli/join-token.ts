import type { JoinToken } from "../admin/backend.ts";
import { MeshError } from "../model/error.ts";
import { connectClient } from "./client.ts";
import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import { writeData } from "./output.ts";

export const joinToken = defineCommand({
  name: "join-token",
  summary: "Make a token that admits one agent on another machine, once",
  arguments: [{ name: "action", help: "what to do", choices: ["create"] }],
  options: {
    serviceAccount: { type: "string", value: "NAME", help: "service account that the machine's workloads run as", default: "default" },
    ttl: { type: "number", value: "SECONDS", help: "how long the token can be used", default: 900 },
    output: { type: "string", short: "o", value: "FORMAT", help: "how to print it", choices: ["json", "yaml"] },
  },
  examples: ["kumiko join-token create -n shop --service-account users"],
  async run({ options, io }) {
    if (options.ttl < 1) throw new MeshError("usage", "--ttl must be at least one second", { help: "kumiko join-token --help" });
    const request = { namespace: options.namespace ?? "default", serviceAccount: options.serviceAccount, ttlSeconds: options.ttl };
    const token = await connectClient(options, io).post<JoinToken>("/kumiko/v1/join-tokens", request);
    if (options.output === "json" || options.output === "yaml") await writeData(io, options.output, token);
    else io.stdout.write(`${token.token}\n`);
    return EXIT.done;
  },
});
