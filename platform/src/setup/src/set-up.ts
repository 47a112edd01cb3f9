import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { openAuthority } from "./certificates.ts";
import { writePrivate } from "./files.ts";
import { openPasswords } from "./passwords.ts";
import type { Places } from "./places.ts";
import { secretManifests, webManifest } from "./secrets.ts";
import { openSigningKeys } from "./signing-keys.ts";

/** The name under which the services know the database; the mesh opens it by a ServiceEntry. */
export const DATABASE_HOST = "db.platform.internal:5432";
/** And the message broker. */
export const BROKER_HOST = "nats.platform.internal:4222";

const publicHosts = ["user.example.com", "video.example.com", "chat.example.com"];
/** Those, and the names by which a browser finds them on its own machine. */
const edgeHosts = [...publicHosts, "user.localhost", "video.localhost", "chat.localhost"];

/** Makes everything that a first start needs and a later one finds: running it again changes nothing that is still good. */
export async function setUp(places: Places, now = new Date(), { identityPort = 19_443 } = {}): Promise<void> {
  mkdirSync(places.root, { recursive: true, mode: 0o700 });
  chmodSync(places.root, 0o700);
  const authority = await openAuthority(places, now);
  const [gateway] = await Promise.all([
    authority.credential({ name: "gateway", dns: publicHosts }),
    authority.credential({ name: "edge", dns: edgeHosts }),
    authority.credential({ name: "database", dns: ["db.platform.internal", "localhost"], ip: ["127.0.0.1"] }),
    authority.credential({ name: "broker", dns: ["nats.platform.internal", "localhost"], ip: ["127.0.0.1"] }),
    authority.credential({ name: "identity-provider", dns: ["idp.platform.internal", "idp.localhost"] }),
    openSigningKeys(places),
  ]);
  const passwords = openPasswords(places);
  const manifests = secretManifests({
    gateway,
    authority: authority.certificate,
    passwords,
    databaseHost: DATABASE_HOST,
    brokerHost: BROKER_HOST,
  });
  writePrivate(join(places.manifests, "secrets.yaml"), manifests);
  writePrivate(join(places.manifests, "web.yaml"), webManifest(`https://idp.localhost:${identityPort}`));
}
