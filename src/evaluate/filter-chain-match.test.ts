import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { FilterChainMatchSchema, FilterChainSchema } from "../gen/envoy/config/listener/v3/listener_components_pb.js";
import { chooseFilterChain, type Seen } from "./filter-chain-match.ts";

type Match = Exclude<MessageInitShape<typeof FilterChainMatchSchema>, { $typeName: string }>;

const seen = (over: Partial<Seen>): Seen => ({
  port: 80,
  address: "10.0.0.1",
  source: "10.0.0.2",
  serverName: "",
  transportProtocol: "raw_buffer",
  applicationProtocols: [],
  ...over,
});
const range = (addressPrefix: string, prefixLen: number) => ({ addressPrefix, prefixLen });

describe("chooseFilterChain", () => {
  test.each<{ title: string; chains: readonly Match[]; given?: Partial<Seen>; expected: number | string }>([
    { title: "a port before none", chains: [{}, { destinationPort: 80 }], expected: 1 },
    { title: "none where the port is another", chains: [{}, { destinationPort: 81 }], expected: 0 },
    {
      title: "no way back from a port whose chains don't fit",
      chains: [{}, { destinationPort: 80, transportProtocol: "tls" }],
      expected: "transport protocol",
    },
    {
      title: "the longest prefix",
      chains: [{ prefixRanges: [range("10.0.0.0", 8)] }, { prefixRanges: [range("10.0.0.0", 24)] }],
      expected: 1,
    },
    {
      title: "the exact server name",
      chains: [{ serverNames: ["*.a.test"] }, { serverNames: ["x.a.test"] }],
      given: { serverName: "x.a.test" },
      expected: 1,
    },
    {
      title: "the longest wildcard",
      chains: [{ serverNames: ["*.test"] }, { serverNames: ["*.a.test"] }],
      given: { serverName: "y.x.a.test" },
      expected: 1,
    },
    { title: "no wildcard for its bare name", chains: [{ serverNames: ["*.a.test"] }, {}], given: { serverName: "a.test" }, expected: 1 },
    { title: "TLS apart from plaintext", chains: [{ transportProtocol: "tls" }, { transportProtocol: "raw_buffer" }], expected: 1 },
    {
      title: "the client's first protocol that anybody names",
      chains: [{ applicationProtocols: ["istio"] }, { applicationProtocols: ["istio-h2"] }],
      given: { applicationProtocols: ["istio-h2", "istio"] },
      expected: 1,
    },
    {
      title: "nothing where no protocol fits",
      chains: [{ applicationProtocols: ["istio"] }],
      given: { applicationProtocols: ["h2"] },
      expected: "application protocol",
    },
    { title: "by the peer's address", chains: [{}, { sourcePrefixRanges: [range("10.0.0.2", 32)] }], expected: 1 },
  ])("takes $title", ({ chains, given = {}, expected }) => {
    const choice = chooseFilterChain(
      chains.map((match) => create(FilterChainSchema, { filterChainMatch: create(FilterChainMatchSchema, match) })),
      seen(given),
    );
    expect("index" in choice ? choice.index : choice.failedAt).toBe(expected);
  });
});
