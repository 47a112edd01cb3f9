import { once } from "node:events";
import { dirname, join } from "node:path";
import { main, port, readConfig } from "@platform/service-kit";
import { placesOf, readCredential, readSigningKeys } from "@platform/setup";
import * as z from "zod";
import { openAccounts } from "./accounts.ts";
import { createIdentityProvider } from "./server.ts";
import { webPages } from "./settings.ts";

/** Runs in the foreground until SIGTERM or SIGINT. Loopback only. */
await main(async () => {
  const config = readConfig(
    {
      PLATFORM_IDENTITY_PORT: port.default(19_443),
      PLATFORM_EDGE_PORT: port.default(9_443),
      ACCESS_TOKEN_TTL_SECONDS: z.coerce.number().int().min(1).max(86_400).default(3_600),
    },
    process.env,
  );
  const places = placesOf(process.env);
  const server = createIdentityProvider({
    accounts: openAccounts(join(dirname(places.signingKeys), "accounts.json")),
    signingKeys: readSigningKeys(places),
    accessTokenTtlSeconds: config.ACCESS_TOKEN_TTL_SECONDS,
    credential: readCredential(places, "identity-provider"),
    webPages: webPages(config.PLATFORM_EDGE_PORT),
  });
  server.listen(config.PLATFORM_IDENTITY_PORT, "127.0.0.1");
  await once(server, "listening");
  process.stdout.write(`identity-provider: ready on 127.0.0.1:${config.PLATFORM_IDENTITY_PORT}\n`);
  await Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
  server.close();
  server.closeAllConnections();
  process.stdout.write("identity-provider: stopped\n");
});
