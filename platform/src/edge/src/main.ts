import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { main, port, readConfig } from "@platform/service-kit";
import { placesOf } from "@platform/setup";
import { startForwarder } from "./forwarder.ts";
import { edgeNames } from "./names.ts";
import { startNginx } from "./nginx.ts";
import { findEdgePrograms, PACKAGES } from "./programs.ts";

/** Runs in the foreground until SIGTERM or SIGINT. Loopback only. */
await main(async () => {
  const config = readConfig(
    {
      PLATFORM_EDGE_PORT: port.default(9_443),
      PLATFORM_EDGE_HTTP_PORT: port.default(9_080),
      PLATFORM_GATEWAY_PORT: port.default(8_443),
    },
    process.env,
  );
  const places = placesOf(process.env);
  const settings = {
    httpPort: config.PLATFORM_EDGE_HTTP_PORT,
    httpsPort: config.PLATFORM_EDGE_PORT,
    gatewayPort: config.PLATFORM_GATEWAY_PORT,
    names: edgeNames,
    certificatePath: join(places.certificates, "edge.pem"),
    keyPath: join(places.certificates, "edge.key"),
    authorityPath: places.caCertificate,
  };
  const where = `127.0.0.1:${settings.httpsPort}, redirects from ${settings.httpPort}`;
  const { promise: told, resolve } = Promise.withResolvers<"told">();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => resolve("told"));

  const programs = findEdgePrograms();
  if (programs === undefined) {
    const packages = PACKAGES.join(" ");
    const why = `no web application firewall: SQL injection and the like reach the services; install (Debian's names) ${packages}`;
    process.stderr.write(`edge: ${why}\n`);
    const { KUMIKO_WEAKER: file } = process.env;
    if (file !== undefined) writeFileSync(file, `${why}\n`);
    const forwarder = await startForwarder(settings);
    process.stdout.write(`edge: ready without a firewall on ${where}\n`);
    await told;
    forwarder.stop();
  } else {
    const own = { programs, folder: join(places.root, "edge"), ownRules: join(import.meta.dirname, "..", "rules") };
    const nginx = await startNginx({ ...settings, ...own }, (text) => void process.stderr.write(text));
    process.stdout.write(`edge: ready on ${where}\n`);
    const first = await Promise.race([told, nginx.ended]);
    if (first !== "told") throw new Error(`nginx ended by itself with ${first}`);
    await nginx.stop();
  }
  process.stdout.write("edge: stopped\n");
});
