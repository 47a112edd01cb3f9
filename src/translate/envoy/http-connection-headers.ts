import { create } from "@bufbuild/protobuf";
import { type TypedExtensionConfig, TypedExtensionConfigSchema } from "../../gen/envoy/config/core/v3/extension_pb.js";
import { HeaderMutationSchema } from "../../gen/envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation_pb.js";
import { packAny } from "./any.ts";

/** Headers that proxies of the mesh write to each other. Envoy takes most of its own from strangers, but not these. */
const MESH_HEADERS = [
  "x-envoy-original-path",
  "x-envoy-original-host",
  "x-envoy-decorator-operation",
  "x-envoy-peer-metadata",
  "x-envoy-peer-metadata-id",
  "x-istio-attributes",
];

/** Takes the mesh's own headers from a request that comes from outside, before any filter reads it. */
export function withoutMeshHeaders(): TypedExtensionConfig {
  const mutations = MESH_HEADERS.map((name) => ({ action: { case: "remove" as const, value: name } }));
  return create(TypedExtensionConfigSchema, {
    name: "envoy.http.early_header_mutation.header_mutation",
    typedConfig: packAny(HeaderMutationSchema, { mutations }),
  });
}
