/** The shape of each kind's document beside `metadata`, as its API declares it: types only, nothing here exists at run time. */
import type { IDestinationRule } from "@kubernetes-models/istio/networking.istio.io/v1/DestinationRule";
import type { IGateway } from "@kubernetes-models/istio/networking.istio.io/v1/Gateway";
import type { IServiceEntry } from "@kubernetes-models/istio/networking.istio.io/v1/ServiceEntry";
import type { IVirtualService } from "@kubernetes-models/istio/networking.istio.io/v1/VirtualService";
import type { IWorkloadEntry } from "@kubernetes-models/istio/networking.istio.io/v1/WorkloadEntry";
import type { IAuthorizationPolicy } from "@kubernetes-models/istio/security.istio.io/v1/AuthorizationPolicy";
import type { IPeerAuthentication } from "@kubernetes-models/istio/security.istio.io/v1/PeerAuthentication";
import type { IRequestAuthentication } from "@kubernetes-models/istio/security.istio.io/v1/RequestAuthentication";
import type { IDeployment } from "kubernetes-models/apps/v1/Deployment";
import type { IStatefulSet } from "kubernetes-models/apps/v1/StatefulSet";
import type { IEndpointSlice } from "kubernetes-models/discovery.k8s.io/v1/EndpointSlice";
import type { IConfigMap } from "kubernetes-models/v1/ConfigMap";
import type { INamespace } from "kubernetes-models/v1/Namespace";
import type { IPod } from "kubernetes-models/v1/Pod";
import type { ISecret } from "kubernetes-models/v1/Secret";
import type { IService } from "kubernetes-models/v1/Service";
import type { IServiceAccount } from "kubernetes-models/v1/ServiceAccount";

export type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

type Body<Document> = DeepReadonly<Omit<Document, "apiVersion" | "kind" | "metadata">>;

export type NamespaceBody = Body<INamespace>;
export type ServiceAccountBody = Body<IServiceAccount>;
export type ServiceBody = Body<IService>;
export type EndpointSliceBody = Body<IEndpointSlice>;
export type DeploymentBody = Body<IDeployment>;
export type StatefulSetBody = Body<IStatefulSet>;
export type PodBody = Body<IPod>;
export type ConfigMapBody = Body<IConfigMap>;
export type SecretBody = Body<ISecret>;
export type GatewayBody = Body<IGateway>;
export type VirtualServiceBody = Body<IVirtualService>;
export type DestinationRuleBody = Body<IDestinationRule>;
export type ServiceEntryBody = Body<IServiceEntry>;
export type WorkloadEntryBody = Body<IWorkloadEntry>;
export type PeerAuthenticationBody = Body<IPeerAuthentication>;
export type RequestAuthenticationBody = Body<IRequestAuthentication>;
export type AuthorizationPolicyBody = Body<IAuthorizationPolicy>;
