import { stringify } from "yaml";
import type { Credential } from "./certificates.ts";
import { databases, type Passwords, roleOf } from "./passwords.ts";

/** The Secrets that the manifests in `infra/k8s` name. In a company they come from its secret store. */
export function secretManifests(given: {
  gateway: Credential;
  databaseAuthority: string;
  passwords: Passwords;
  databaseHost: string;
}): string {
  const gateway = secret("istio-ingress", "platform-gateway-tls", "kubernetes.io/tls", {
    "tls.crt": given.gateway.certificate,
    "tls.key": given.gateway.key,
  });
  const databaseSecrets = databases.map(({ service, database }) => {
    const role = roleOf(database);
    return secret("platform", `${service}-database`, "Opaque", {
      url: `postgres://${role}:${given.passwords[role] ?? ""}@${given.databaseHost}/${database}`,
      "ca.crt": given.databaseAuthority,
    });
  });
  return [gateway, ...databaseSecrets].map((one) => stringify(one, { lineWidth: 0 })).join("---\n");
}

function secret(namespace: string, name: string, type: string, stringData: Readonly<Record<string, string>>): unknown {
  const data = Object.fromEntries(Object.entries(stringData).map(([key, value]) => [key, Buffer.from(value).toString("base64")]));
  return { apiVersion: "v1", kind: "Secret", metadata: { name, namespace, labels: { team: "platform" } }, type, data };
}
