import { main, origin, readConfig, runService, serviceShape, startTracing } from "@platform/service-kit";
import * as z from "zod";
import { createWebServer } from "./server.ts";

const shape = {
  ...serviceShape,
  /** The `iss` of the tokens. */
  ISSUER: z.url({ protocol: /^https$/, error: "must be an https URL" }),
  /** Where browsers reach the provider; the issuer, where it is left out. */
  IDENTITY_PROVIDER_URL: origin.optional(),
  OIDC_CLIENT_ID: z.string().min(1).default("platform-web"),
};

await main(async () => {
  const config = readConfig(shape, process.env);
  const { VERSION: version } = config;
  const stopTracing = await startTracing({ endpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT, service: "web", version });
  const { ISSUER: issuer, IDENTITY_PROVIDER_URL: identityProvider = issuer, OIDC_CLIENT_ID: clientId } = config;
  const server = createWebServer({ issuer, identityProvider, clientId }, { version, logLevel: config.LOG_LEVEL });
  server.addHook("onClose", stopTracing);
  await runService(server, { port: config.PORT, stopTimeoutMs: config.STOP_TIMEOUT_MS });
});
