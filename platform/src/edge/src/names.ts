import type { EdgeName } from "./nginx-config.ts";

const SERVICES = ["user", "video", "chat"];

/**
 * The names that the edge's certificate is for. Beside the platform's own ones those under `localhost`, which browsers find on their own machine
 * without asking anybody; the gateway knows the platform's own only.
 */
export const edgeNames: readonly EdgeName[] = SERVICES.flatMap((service) => [
  { outside: `${service}.example.com`, inside: `${service}.example.com` },
  { outside: `${service}.localhost`, inside: `${service}.example.com` },
]);
