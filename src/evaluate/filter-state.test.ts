import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { ConfigSchema } from "../gen/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state_pb.js";
import { withFilterState } from "./filter-state.ts";
import type { Exchange } from "./http-chain.ts";

type Value = NonNullable<Exclude<MessageInitShape<typeof ConfigSchema>, { $typeName: string }>["onRequestHeaders"]>[number];

const set = (key: string, text: string, over: object = {}): Value => ({
  key: { case: "objectKey", value: key },
  value: {
    case: "formatString",
    value: { format: { case: "textFormatSource", value: { specifier: { case: "inlineString", value: text } } } },
  },
  skipIfEmpty: true,
  ...over,
});
const run = (...values: Value[]) => withFilterState(create(ConfigSchema, { onRequestHeaders: values }), {} as Exchange, "f");

test("the protocols that TLS offers may be the cluster's", () => {
  expect(run(set("envoy.network.application_protocols", "%CLUSTER_METADATA(ns:key)%"))).toEqual({
    alpnFrom: { namespace: "ns", key: "key" },
  });
  expect(run()).toEqual({});
});

test.each([
  ["another object", set("envoy.network.upstream_server_name", "%CLUSTER_METADATA(ns:key)%")],
  ["another source", set("envoy.network.application_protocols", "h2")],
  ["a text around it", set("envoy.network.application_protocols", "x%CLUSTER_METADATA(ns:key)%")],
  ["nothing offered where there is none", set("envoy.network.application_protocols", "%CLUSTER_METADATA(ns:key)%", { skipIfEmpty: false })],
])("what isn't understood is not passed over: %s", (_, value) => {
  expect(() => run(value)).toThrow("filter f");
});
