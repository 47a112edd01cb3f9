import { main, port, readConfig } from "@platform/service-kit";
import { placesOf } from "@platform/setup";
import { startStandIn } from "./stand-in.ts";

/** Runs in the foreground until SIGTERM or SIGINT; prints one line when the services may come. */
await main(async () => {
  const config = readConfig({ PLATFORM_BROKER_PORT: port.default(14_222) }, process.env);
  const { promise: told, resolve } = Promise.withResolvers<"told">();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => resolve("told"));
  const standIn = await startStandIn(placesOf(process.env), {
    port: config.PLATFORM_BROKER_PORT,
    log: (text) => void process.stderr.write(text),
  });
  process.stdout.write(`broker: ready on 127.0.0.1:${config.PLATFORM_BROKER_PORT}\n`);
  const first = await Promise.race([told, standIn.ended]);
  if (first !== "told") throw new Error(`nats-server ended by itself with ${first}`);
  await standIn.stop();
  process.stdout.write("broker: stopped\n");
});
