// Keys, certificates, passwords and Secrets for a first start; later starts find them. PLATFORM_STATE says where.
import { main, port, readConfig } from "../src/service-kit/src/index.ts";
import { placesOf, setUp } from "../src/setup/src/index.ts";

await main(async () => {
  const { PLATFORM_IDENTITY_PORT: identityPort } = readConfig({ PLATFORM_IDENTITY_PORT: port.default(19_443) }, process.env);
  await setUp(placesOf(process.env), new Date(), { identityPort });
});
