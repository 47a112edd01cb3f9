/** The rules of every kind, one file each; a kind without rules of its own takes every field of its schema. */
import type { KindRules } from "../rules.ts";
import { peerAuthentication, requestAuthentication } from "./authentication.ts";
import { authorizationPolicy } from "./authorization-policy.ts";
import { destinationRule } from "./destination-rule.ts";
import { gateway } from "./gateway.ts";
import { meshConfig } from "./mesh-config.ts";
import { endpointSlice, secret, service } from "./service.ts";
import { serviceEntry, workloadEntry } from "./service-entry.ts";
import { virtualService } from "./virtual-service.ts";
import { deployment, pod, statefulSet } from "./workload.ts";

const rules: Readonly<Record<string, KindRules>> = {
  AuthorizationPolicy: authorizationPolicy,
  Deployment: deployment,
  DestinationRule: destinationRule,
  EndpointSlice: endpointSlice,
  Gateway: gateway,
  MeshConfig: meshConfig,
  PeerAuthentication: peerAuthentication,
  Pod: pod,
  RequestAuthentication: requestAuthentication,
  Secret: secret,
  Service: service,
  ServiceAccount: { honoured: {} },
  ServiceEntry: serviceEntry,
  StatefulSet: statefulSet,
  VirtualService: virtualService,
  WorkloadEntry: workloadEntry,
};

const NO_RULES: KindRules = { honoured: true };

export function rulesOf(kind: string): KindRules {
  return rules[kind] ?? NO_RULES;
}
