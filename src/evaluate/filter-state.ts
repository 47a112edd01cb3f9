import type { Config as SetFilterState } from "../gen/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state_pb.js";
import type { AlpnSource, Exchange } from "./http-chain.ts";
import { Undecidable } from "./undecidable.ts";

const APPLICATION_PROTOCOLS = "envoy.network.application_protocols";
const FROM_CLUSTER = /^%CLUSTER_METADATA\(([^:()]+):([^:()]+)\)%$/;

/** What a request's filter state changes about its way: of all objects only the protocols that TLS upstream offers, as the cluster has them. */
export function withFilterState({ onRequestHeaders }: SetFilterState, exchange: Exchange, filter: string): Exchange {
  let alpnFrom: AlpnSource | undefined;
  for (const { key, value, skipIfEmpty } of onRequestHeaders) {
    const format = value.case === "formatString" ? value.value.format : undefined;
    const source = format?.case === "textFormatSource" ? format.value.specifier : undefined;
    const [, namespace, name] = (source?.case === "inlineString" && FROM_CLUSTER.exec(source.value)) || [];
    if (key.value !== APPLICATION_PROTOCOLS || !skipIfEmpty || namespace === undefined || name === undefined)
      throw new Undecidable(`filter ${filter}`);
    alpnFrom = { namespace, key: name };
  }
  return alpnFrom === undefined ? exchange : { ...exchange, alpnFrom };
}
