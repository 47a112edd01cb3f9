import { stableHash } from "../../base/stable-hash.ts";
import type { ProxyPolicies } from "../../ir/policy.ts";
import type { Finding } from "../../mesh/finding.ts";
import type { Mesh } from "../../mesh/mesh.ts";
import type { PoliciesOf, PolicyKind } from "../../mesh/policies.ts";
import type { Scope } from "../../mesh/scope.ts";
import type { Proxy } from "../../model/proxy.ts";
import { formatRef, refOf, type Resource } from "../../model/resource.ts";
import { isHttp } from "../../model/service.ts";
import { type AuthorizationInputs, providerOf, toAuthorization } from "./authorization-policy.ts";
import { authorizersOf } from "./authorizer.ts";
import { inboundPortsOf } from "./inbound-ports.ts";
import { type AuthenticationInputs, keySetsOf, toAuthentication } from "./request-authentication.ts";

/** All that the policy slots of a proxy depend on. */
export interface PolicyInputs {
  /** Hash of everything below. */
  readonly key: string;
  readonly authentication: AuthenticationInputs;
  readonly authorization: AuthorizationInputs;
}

export function policyInputs(mesh: Mesh, proxy: Proxy, scope: Scope): PolicyInputs {
  const { settings } = mesh;
  const ports = proxy.type === "sidecar" ? inboundPortsOf(mesh, proxy) : [];
  const tokens = all(mesh.policies.find("RequestAuthentication", proxy));
  const policies = all(mesh.policies.find("AuthorizationPolicy", proxy));
  const keySets = keySetsOf(tokens, mesh.find);
  const rest = {
    trustDomains: [settings.trustDomain, ...settings.trustDomainAliases],
    boundPorts:
      proxy.capture === "none"
        ? Object.fromEntries(ports.flatMap(({ port, sidecarPort }) => (sidecarPort === undefined ? [] : [[port, sidecarPort]])))
        : {},
    defaultDeny: settings.defaultDeny,
    hasTcpPorts: ports.some(({ protocol }) => !isHttp(protocol) && protocol !== "auto"),
  };
  const custom = policies.filter(({ body }) => body.spec?.action === "CUSTOM");
  const authorizers = authorizersOf(scope, custom.map(providerOf));
  const key = stableHash([[...tokens, ...policies].map(fingerprint), [...keySets], [...authorizers], rest]);
  return { key, authentication: { policies: tokens, keySets }, authorization: { policies, authorizers, ...rest } };
}

/** What the slots hold: who may call, and how a caller proves who it is. */
export function toProxyPolicies(inputs: PolicyInputs): { readonly policies: ProxyPolicies; readonly findings: readonly Finding[] } {
  const { authentication, findings } = toAuthentication(inputs.authentication);
  const authorization = toAuthorization(inputs.authorization);
  return {
    policies: { http: { authentication, ...authorization.http }, tcp: authorization.tcp },
    findings: [...findings, ...authorization.findings],
  };
}

function all<Kind extends PolicyKind>({ mesh, namespace, workload }: PoliciesOf<Kind>) {
  return [...mesh, ...namespace, ...workload];
}

function fingerprint(resource: Resource): string {
  return `${formatRef(refOf(resource))} ${resource.hash}`;
}
