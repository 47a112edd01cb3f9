import type { JsonObject } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { type Metadata, MetadataSchema } from "../../gen/envoy/config/core/v3/base_pb.js";
import type { Origin } from "../../model/origin.ts";

/** Kinds that Istio names in `filter_metadata.istio.config`, and how its path spells them. */
const PATH_OF_KIND: Readonly<Record<string, string>> = { VirtualService: "virtual-service", DestinationRule: "destination-rule" };

/** Istio's `filter_metadata.istio.config`: the path of the resource that had the say; undefined where none of those kinds had. */
export function istioMetadata(origin: readonly Origin[], more: JsonObject = {}): Metadata | undefined {
  const said = origin.find(({ ref }) => PATH_OF_KIND[ref.kind] !== undefined);
  const config =
    said === undefined
      ? {}
      : { config: `/apis/networking.istio.io/v1/namespaces/${said.ref.namespace}/${PATH_OF_KIND[said.ref.kind]}/${said.ref.name}` };
  const istio = { ...more, ...config };
  return Object.keys(istio).length === 0 ? undefined : create(MetadataSchema, { filterMetadata: { istio } });
}
