import type { JoinToken } from "../admin/backend.ts";
import { MeshError } from "../model/error.ts";
import { connectClient } from "./client.ts";
import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import { splitLabel } from "./label.ts";
import { writeData } from "./output.ts";

export const joinToken = defineCommand({
  name: "join-token",
  summary: "Make a token that admits one agent on another machine, once, as one workload",
  arguments: [{ name: "action", help: "what to do", choices: ["create"] }],
  options: {
    name: { type: "string", value: "NAME", help: "the workload: a WorkloadEntry that is declared, or one that this describes" },
    serviceAccount: { type: "string", value: "NAME", help: "service account that it runs as (the declared one's, else default)" },
    address: { type: "string", value: "IP", help: "address at which other workloads reach one that isn't declared" },
    label: { type: "strings", value: "KEY=VALUE", help: "a label of one that isn't declared" },
    router: { type: "boolean", help: "one that isn't declared is a gateway, not a sidecar" },
    ttl: { type: "number", value: "SECONDS", help: "how long the token can be used, 600 at most", default: 600 },
    output: { type: "string", short: "o", value: "FORMAT", help: "how to print it", choices: ["json", "yaml"] },
  },
  examples: [
    "kumiko join-token create -n shop --name legacy-1",
    "kumiko join-token create -n shop --name legacy-1 --service-account legacy --address 10.0.0.7 --label app=legacy",
  ],
  async run({ options, io }) {
    const { name, serviceAccount, address, namespace = "default" } = options;
    if (name === undefined)
      throw new MeshError("usage", "a join token is for one workload: --name is missing", { help: "kumiko join-token --help" });
    if (options.ttl < 1) throw new MeshError("usage", "--ttl must be at least one second", { help: "kumiko join-token --help" });
    const request = {
      namespace,
      name,
      labels: Object.fromEntries(options.label.map(splitLabel)),
      gateway: options.router,
      ttlSeconds: options.ttl,
      ...(serviceAccount !== undefined && { serviceAccount }),
      ...(address !== undefined && { address }),
    };
    const token = await connectClient(options, io).post<JoinToken>("/kumiko/v1/join-tokens", request);
    if (options.output === "json" || options.output === "yaml") await writeData(io, options.output, token);
    else io.stdout.write(`${token.token}\n`);
    return EXIT.done;
  },
});
