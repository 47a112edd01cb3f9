import { stableHash } from "../base/stable-hash.ts";
import { matchesLabels } from "../mesh/index.ts";
import { formatRef, type LocatedResource, refOf } from "../model/resource.ts";
import type { GatewayBody, RequestAuthenticationBody, SecretBody } from "../schema/bodies.ts";
import type { TestIssuers } from "./issuers.ts";
import type { TestWorkload } from "./workloads.ts";

/** On a Gateway: its Secrets are as they are declared, missing or broken. */
const TEST_SECRET = "kumiko.dev/test-secret";

/** Every rule with an issuer trusts that issuer's test key, whatever its `jwks` or `jwksUri` says. */
export function trustTestIssuers(resource: LocatedResource, issuers: TestIssuers): LocatedResource {
  if (resource.kind !== "RequestAuthentication") return resource;
  const body = resource.body as RequestAuthenticationBody;
  const rules = body.spec?.jwtRules ?? [];
  if (!rules.some(({ issuer }) => issuer)) return resource;
  const jwtRules = rules.map(({ jwksUri, jwks_uri, jwks, ...rule }) => ({
    ...rule,
    ...(rule.issuer ? { jwks: issuers.jwksOf(rule.issuer) } : { jwksUri, jwks_uri, jwks }),
  }));
  return withBody(resource, { ...body, spec: { ...body.spec, jwtRules } });
}

/** What stands for certificate, key and authority of one Secret, as PEM. */
export interface TestCertificate {
  readonly chainPem: string;
  readonly keyPem: string;
  readonly trustPem: string;
}

/**
 * The TLS Secrets that Gateways name, in the namespace of each gateway workload, as the harness's own for the server's hosts: in place of what
 * is declared, if anything is.
 */
export function gatewaySecrets(
  resources: readonly LocatedResource[],
  workloads: readonly TestWorkload[],
  certificateFor: (hosts: readonly string[]) => TestCertificate,
): readonly LocatedResource<SecretBody>[] {
  const secrets = new Map<string, LocatedResource<SecretBody>>();
  const routers = workloads.filter(({ role }) => role === "gateway");
  for (const resource of resources) {
    if (resource.kind !== "Gateway" || resource.metadata.annotations[TEST_SECRET] === "as-is") continue;
    const { selector = {}, servers = [] } = (resource as LocatedResource<GatewayBody>).body.spec ?? {};
    const namespaces = new Set(routers.filter(({ labels }) => matchesLabels(selector, labels)).map(({ namespace }) => namespace));
    for (const [i, { tls, hosts = [] }] of servers.entries()) {
      const credentials = [tls?.credentialName ?? "", ...(tls?.credentialNames ?? [])].filter((name) => name !== "");
      const named = [...credentials, ...credentials.map((name) => `${name}-cacert`), tls?.caCertCredentialName ?? ""].filter(
        (name) => name !== "",
      );
      for (const namespace of namespaces)
        for (const name of named) {
          const { chainPem, keyPem, trustPem } = certificateFor(hosts.map((host) => host.split("/").at(-1) ?? host));
          const stringData = name.endsWith("-cacert")
            ? { "ca.crt": trustPem }
            : { "tls.crt": chainPem, "tls.key": keyPem, "ca.crt": trustPem };
          const secret = makeSecret(namespace, name, stringData, () => resource.locate(["spec", "servers", i, "tls"]));
          const key = formatRef(refOf(secret));
          if (!secrets.has(key)) secrets.set(key, secret);
        }
    }
  }
  return [...secrets.values()];
}

function makeSecret(
  namespace: string,
  name: string,
  stringData: Readonly<Record<string, string>>,
  locate: LocatedResource["locate"],
): LocatedResource<SecretBody> {
  const metadata = { name, namespace, labels: {}, annotations: {} };
  const body: SecretBody = { type: "kubernetes.io/tls", stringData };
  return { apiVersion: "v1", kind: "Secret", metadata, body, hash: stableHash({ metadata, body }), locate };
}

/** PEM texts that name what they stand for: the evaluator reads no certificate, it only has to know that there is one. */
export function namedCertificate(hosts: readonly string[]): TestCertificate {
  const pem = (label: string) =>
    `-----BEGIN ${label}-----\n${Buffer.from(`test ${label} of ${hosts.join(", ")}`).toString("base64")}\n-----END ${label}-----\n`;
  return { chainPem: pem("CERTIFICATE"), keyPem: pem("PRIVATE KEY"), trustPem: pem("CERTIFICATE") };
}

function withBody(resource: LocatedResource, body: object): LocatedResource {
  const { apiVersion, kind, metadata, locate } = resource;
  return { apiVersion, kind, metadata, body, hash: stableHash({ apiVersion, kind, metadata, body }), locate };
}
