import { create } from "@bufbuild/protobuf";
import { CorsSchema } from "../../gen/envoy/extensions/filters/http/cors/v3/cors_pb.js";
import { HTTPFaultSchema } from "../../gen/envoy/extensions/filters/http/fault/v3/fault_pb.js";
import { RouterSchema } from "../../gen/envoy/extensions/filters/http/router/v3/router_pb.js";
import {
  type HttpFilter,
  HttpFilterSchema,
} from "../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import type { HttpConnection } from "../../ir/http-connection.ts";
import { packAny } from "./any.ts";
import { upstreamAlpn } from "./upstream-alpn.ts";
import { type HttpSlot, httpSlotSource } from "./extension-slot.ts";
import { FILTER } from "./names.ts";

/**
 * The one order of HTTP filters, first to see a request first: who is it, may it, then what is done with it. The router ends every chain.
 * CORS stands behind the policies, as in Istio: a preflight needs no token (jwt_authn lets it pass) but does need an ALLOW for OPTIONS.
 */
export const HTTP_FILTER_ORDER = [
  "authn",
  "authzCustomRules",
  "authzCustom",
  "authzDeny",
  "authzAllow",
  "cors",
  "fault",
  "extensions",
  "upstreamAlpn",
  "router",
] as const satisfies readonly HttpFilterKind[];

export type HttpFilterKind = HttpSlot | "cors" | "fault" | "upstreamAlpn" | "router";

/** Fails to compile where a kind of filter has no place in the order. */
type Unplaced = Exclude<HttpFilterKind, (typeof HTTP_FILTER_ORDER)[number]>;
const everyKindIsPlaced: [Unplaced] extends [never] ? true : Unplaced = true;

/** The filters of one connection manager, in the one order. What slots hold comes by ECDS. */
export function toHttpFilters({ slots, role }: Pick<HttpConnection, "slots" | "role">): HttpFilter[] {
  const filters = everyKindIsPlaced ? HTTP_FILTER_ORDER.map((kind) => toHttpFilter(kind, { slots, role })) : [];
  return filters.filter((filter) => filter !== undefined);
}

function toHttpFilter(kind: HttpFilterKind, { slots, role }: Pick<HttpConnection, "slots" | "role">): HttpFilter | undefined {
  switch (kind) {
    case "cors":
      return fixed(FILTER.cors, packAny(CorsSchema, {}));
    case "fault":
      return fixed(FILTER.fault, packAny(HTTPFaultSchema, {}));
    case "upstreamAlpn":
      return role === "inbound" ? undefined : fixed(FILTER.setFilterState, upstreamAlpn());
    case "router":
      return fixed(FILTER.router, packAny(RouterSchema, {}));
    default: {
      const name = slots[kind];
      return name === undefined
        ? undefined
        : create(HttpFilterSchema, { name, configType: { case: "configDiscovery", value: httpSlotSource(kind) } });
    }
  }
}

function fixed(name: string, typedConfig: ReturnType<typeof packAny>): HttpFilter {
  return create(HttpFilterSchema, { name, configType: { case: "typedConfig", value: typedConfig } });
}
