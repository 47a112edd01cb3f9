import { join, resolve } from "node:path";

/** Where the platform keeps what must not be in git. The folder and all in it are the user's alone. */
export interface Places {
  readonly root: string;
  readonly caKey: string;
  readonly caCertificate: string;
  readonly certificates: string;
  readonly passwords: string;
  readonly signingKeys: string;
  readonly manifests: string;
  readonly postgres: string;
  readonly nats: string;
}

/** `PLATFORM_STATE` names the folder; without it, `.state` in the platform's folder. */
export function placesOf(env: NodeJS.ProcessEnv): Places {
  const root = resolve(env["PLATFORM_STATE"] || join(import.meta.dirname, "..", "..", "..", ".state"));
  return {
    root,
    caKey: join(root, "ca", "root.key"),
    caCertificate: join(root, "ca", "root.pem"),
    certificates: join(root, "tls"),
    passwords: join(root, "passwords.json"),
    signingKeys: join(root, "identity-provider", "signing-keys.json"),
    manifests: join(root, "manifests"),
    postgres: join(root, "postgres"),
    nats: join(root, "nats"),
  };
}
