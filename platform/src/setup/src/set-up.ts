import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { openAuthority } from "./certificates.ts";
import { writePrivate } from "./files.ts";
import { openPasswords } from "./passwords.ts";
import type { Places } from "./places.ts";
import { secretManifests } from "./secrets.ts";
import { openSigningKeys } from "./signing-keys.ts";

/** The name under which the services know the database; the mesh opens it by a ServiceEntry. */
export const DATABASE_HOST = "db.platform.internal:5432";

/** Makes everything that a first start needs and a later one finds: running it again changes nothing that is still good. */
export async function setUp(places: Places, now = new Date()): Promise<void> {
  mkdirSync(places.root, { recursive: true, mode: 0o700 });
  chmodSync(places.root, 0o700);
  const authority = await openAuthority(places, now);
  const [gateway] = await Promise.all([
    authority.credential({ name: "gateway", dns: ["user.example.com", "video.example.com"] }),
    authority.credential({ name: "database", dns: ["db.platform.internal", "localhost"], ip: ["127.0.0.1"] }),
    authority.credential({ name: "identity-provider", dns: ["idp.platform.internal"] }),
    openSigningKeys(places),
  ]);
  const passwords = openPasswords(places);
  const manifests = secretManifests({ gateway, databaseAuthority: authority.certificate, passwords, databaseHost: DATABASE_HOST });
  writePrivate(join(places.manifests, "secrets.yaml"), manifests);
}
