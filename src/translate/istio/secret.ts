import type { TlsSecret } from "../../ir/secret.ts";
import type { Finding } from "../../mesh/finding.ts";
import type { Origin } from "../../model/origin.ts";
import { type Resource, type ResourceRef, refOf } from "../../model/resource.ts";
import { Sealed } from "../../model/sealed.ts";
import type { SecretBody } from "../../schema/bodies.ts";
import { decodeBase64Text } from "./secret-base64.ts";

const PREFIX = "kubernetes://";
const TRUST_SUFFIX = "-cacert";
/** Keys of a TLS Secret (Kubernetes), then of a generic one (Istio). */
const CERTIFICATE_KEYS = ["tls.crt", "cert"];
const PRIVATE_KEYS = ["tls.key", "key"];
const TRUST_KEYS = ["ca.crt", "cacert"];

/** The SDS name of a Gateway's `credentialName`; with `-cacert` that of the authority behind its clients. */
export function secretName(namespace: string, credentialName: string): string {
  return `${PREFIX}${namespace}/${credentialName}`;
}

/**
 * The Secret behind an SDS name, for a gateway of `namespace`. Undefined for another namespace's (Istio's rule: whoever may write a Gateway must not be
 * able to show another's certificate), for one that is not there, and for one without what the name asks for.
 */
export function findTlsSecret(name: string, namespace: string, find: (ref: ResourceRef) => Resource | undefined): TlsSecret | undefined {
  const [owner = "", secret = "", ...rest] = name.startsWith(PREFIX) ? name.slice(PREFIX.length).split("/") : [];
  if (owner !== namespace || secret === "" || rest.length > 0) return undefined;
  const lookUp = (wanted: string) => find({ kind: "Secret", namespace: owner, name: wanted }) as Resource<SecretBody> | undefined;
  const own = lookUp(secret);
  if (own !== undefined && !secret.endsWith(TRUST_SUFFIX)) return withCertificate(name, own);
  // The authority stands in a Secret of its own, or beside the certificate.
  const beside = secret.endsWith(TRUST_SUFFIX) ? lookUp(secret.slice(0, -TRUST_SUFFIX.length)) : undefined;
  return [own, beside].map((resource) => resource && withTrust(name, resource)).find((found) => found !== undefined);
}

/** A Secret that listeners name and that can't be given: the listener stays closed until it can. */
export function missingSecret(name: string, origin: Origin): Finding {
  return {
    code: "IST0101",
    message: `Secret "${name.slice(PREFIX.length)}" with a certificate and key is not there: the port stays closed`,
    help: "create it in the gateway's own namespace",
    origin,
  };
}

function withCertificate(name: string, resource: Resource<SecretBody>): TlsSecret | undefined {
  const [chainPem, key] = [pemOf(resource, CERTIFICATE_KEYS), pemOf(resource, PRIVATE_KEYS)];
  if (chainPem === undefined || key === undefined) return undefined;
  return { name, certificate: { chainPem, key: new Sealed(key) }, origin: originOf(resource) };
}

function withTrust(name: string, resource: Resource<SecretBody>): TlsSecret | undefined {
  const trustPem = pemOf(resource, TRUST_KEYS);
  return trustPem === undefined ? undefined : { name, trustPem, origin: originOf(resource) };
}

function pemOf(resource: Resource<SecretBody>, keys: readonly string[]): string | undefined {
  const { data = {}, stringData = {} } = resource.body;
  for (const key of keys) {
    const text = Object.hasOwn(stringData, key)
      ? stringData[key]
      : Object.hasOwn(data, key)
        ? decodeBase64Text(String(data[key]))
        : undefined;
    if (text?.includes("-----BEGIN ") === true) return text;
  }
  return undefined;
}

function originOf(resource: Resource): readonly Origin[] {
  return [{ ref: refOf(resource), path: [] }];
}
