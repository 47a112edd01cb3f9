import { create } from "@bufbuild/protobuf";
import type { JsonObject } from "@bufbuild/protobuf";
import { SubstitutionFormatStringSchema } from "../../gen/envoy/config/core/v3/substitution_format_string_pb.js";
import { FilterStateValueSchema } from "../../gen/envoy/extensions/filters/common/set_filter_state/v3/value_pb.js";
import { ConfigSchema } from "../../gen/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state_pb.js";
import type { ClientTls } from "../../ir/tls.ts";
import { packAny } from "./any.ts";

/** Where a cluster says what HTTP offers in its TLS. */
const NAMESPACE = "kumiko";
const KEY = "alpn_of_http";
/** Envoy's well-known filter state: the protocols that a connection upstream offers, in place of its cluster's own. */
const APPLICATION_PROTOCOLS = "envoy.network.application_protocols";

export function alpnMetadata({ alpnOfHttp }: Pick<ClientTls, "alpnOfHttp">): Readonly<Record<string, JsonObject>> {
  return alpnOfHttp === undefined ? {} : { [NAMESPACE]: { [KEY]: alpnOfHttp.join(",") } };
}

/**
 * Offers for HTTP what the cluster that the route leads to has for it. Only here is it known that a connection carries HTTP where its port does
 * not say so, and only by these words does the peer choose its chain for HTTP, with the policies of HTTP.
 */
export function upstreamAlpn() {
  const format = create(SubstitutionFormatStringSchema, {
    format: { case: "textFormatSource", value: { specifier: { case: "inlineString", value: `%CLUSTER_METADATA(${NAMESPACE}:${KEY})%` } } },
    omitEmptyValues: true,
  });
  const value = create(FilterStateValueSchema, {
    key: { case: "objectKey", value: APPLICATION_PROTOCOLS },
    value: { case: "formatString", value: format },
    skipIfEmpty: true,
  });
  return packAny(ConfigSchema, { onRequestHeaders: [value] });
}
