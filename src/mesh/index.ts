/**
 * Frozen indexes over all resources. In: checked resources and the mesh's settings; out: answers to single questions.
 * Nothing here changes after it was made, and no result depends on the order in which resources came.
 */
export { type Authorizer } from "./authorizers.ts";
export { type DestinationRule, type DestinationRuleSpec, type Subset, type TrafficPolicy } from "./destination-rules.ts";
export { type EndpointPort, type EndpointSet, type ServiceEndpoint } from "./endpoint-set.ts";
export { type Finding, type Locate, toDiagnostics } from "./finding.ts";
export { type Gateway, type GatewayServer } from "./gateways.ts";
export { createMesh, emptyMesh, type Mesh } from "./mesh.ts";
export { type AccessLogSettings, type MeshSettings, type MeshSettingsOptions, resolveMeshSettings } from "./mesh-settings.ts";
export { type PoliciesOf, type PolicyKind } from "./policies.ts";
export { type ResourceEdit } from "./resource-table.ts";
export { type ProxyView, type Scope, scopeFor, Scopes } from "./scope.ts";
export { MESH_GATEWAY, qualifyGateway, type VirtualService, type VirtualServiceSpec } from "./virtual-services.ts";
export { isExported, matchesLabels, namespaceOfHost, qualifyHost } from "./visibility.ts";
export { INJECTION_TEMPLATES, type IndexedWorkload, isGateway } from "./workload.ts";
