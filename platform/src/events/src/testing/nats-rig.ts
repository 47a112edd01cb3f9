import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findNatsServer, startNatsServer } from "@platform/broker/nats-server";
import type { NatsConnection } from "@nats-io/transport-node";
import { freePort } from "@platform/setup/testing";
import { NatsBroker, NatsLink, provisionConsumer, provisionStream } from "../nats/index.ts";
import { type Missing, noLog, type Rig } from "./rig.ts";

/** A nats-server with JetStream on a free port; killed, it starts again on its data. */
export async function startNats(): Promise<(Rig & { readonly url: string }) | Missing> {
  try {
    await findNatsServer(process.env);
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
  const folder = mkdtempSync(join(tmpdir(), "platform-nats-"));
  const options = { folder, port: await freePort(), users: [], log: () => undefined };
  const url = `nats://127.0.0.1:${options.port}`;
  let server = await startNatsServer(options);
  const asAdministrator = async (work: (connection: NatsConnection) => Promise<void>) => {
    const link = new NatsLink({ url, name: "administrator", log: noLog });
    await work(await link.connection(10_000)).finally(() => link.close());
  };
  await asAdministrator((connection) => provisionStream(connection));
  return {
    url,
    open: (name) => new NatsBroker({ url, name, log: noLog }),
    provision: (group, types) => asAdministrator((connection) => provisionConsumer(connection, group, types)),
    outage: {
      async kill() {
        process.kill(server.pid, "SIGKILL");
        await server.ended;
      },
      async restart() {
        server = await startNatsServer(options);
      },
    },
    async stop() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
