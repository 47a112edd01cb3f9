import { stringify } from "yaml";
import type { Credential } from "./certificates.ts";
import { brokerServices, brokerUserOf, databases, type Passwords, roleOf } from "./passwords.ts";

/** The Secrets that the manifests in `infra/k8s` name. In a company they come from its secret store. */
export function secretManifests(given: {
  gateway: Credential;
  /** PEM of the authority that signed the database's and the broker's certificates. */
  authority: string;
  passwords: Passwords;
  databaseHost: string;
  brokerHost: string;
}): string {
  const gateway = secret("istio-ingress", "platform-gateway-tls", "kubernetes.io/tls", {
    "tls.crt": given.gateway.certificate,
    "tls.key": given.gateway.key,
  });
  const databaseSecrets = databases.map(({ service, database }) => {
    const role = roleOf(database);
    return secret("platform", `${service}-database`, "Opaque", {
      url: `postgres://${role}:${given.passwords[role] ?? ""}@${given.databaseHost}/${database}`,
      "ca.crt": given.authority,
    });
  });
  const brokerSecrets = brokerServices.map((service) =>
    secret("platform", `${service}-broker`, "Opaque", {
      url: `tls://${service}:${given.passwords[brokerUserOf(service)] ?? ""}@${given.brokerHost}`,
      "ca.crt": given.authority,
    }),
  );
  return [gateway, ...databaseSecrets, ...brokerSecrets].map((one) => stringify(one, { lineWidth: 0 })).join("---\n");
}

/** What the page has to know of this machine: where a browser finds the identity provider. */
export function webManifest(identityProviderUrl: string): string {
  const metadata = { name: "web", namespace: "platform", labels: { team: "platform" } };
  return stringify({ apiVersion: "v1", kind: "ConfigMap", metadata, data: { "identity-provider-url": identityProviderUrl } });
}

function secret(namespace: string, name: string, type: string, stringData: Readonly<Record<string, string>>): unknown {
  const data = Object.fromEntries(Object.entries(stringData).map(([key, value]) => [key, Buffer.from(value).toString("base64")]));
  return { apiVersion: "v1", kind: "Secret", metadata: { name, namespace, labels: { team: "platform" } }, type, data };
}
