import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { fromBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ListenerSchema } from "../../gen/envoy/config/listener/v3/listener_pb.js";
import { type EnvoyOracle, startEnvoyOracle } from "../../testing/envoy-oracle.ts";
import { encodeResource } from "./any.ts";
import { toDnsListener } from "./dns-filter.ts";

const table = {
  hosts: [
    { name: "*.wild.example", addresses: ["240.240.0.3"] },
    { name: "six.example", addresses: ["fd00::7"] },
    { name: "users.shop.svc.cluster.local", addresses: ["10.96.0.7"] },
  ],
};

describe("toDnsListener, on a real Envoy", () => {
  let oracle: EnvoyOracle;
  const resolver = new Resolver({ timeout: 1000, tries: 3 });
  beforeAll(async () => {
    const port = await freeUdpPort();
    const given = toDnsListener(table);
    const listener = fromBinary(ListenerSchema, given.bytes);
    if (listener.address?.address.case === "socketAddress")
      listener.address.address.value.portSpecifier = { case: "portValue", value: port };
    oracle = await startEnvoyOracle({ bindsPorts: true });
    expect(await oracle.judge([encodeResource(ListenerSchema, listener, given)])).toMatchObject([{ outcome: "accepted" }]);
    resolver.setServers([`127.0.0.1:${port}`]);
  });
  afterAll(() => oracle.close());

  test("a known name has its address", async () => {
    expect(await resolver.resolve4("users.shop.svc.cluster.local")).toEqual(["10.96.0.7"]);
    expect(await resolver.resolve6("six.example")).toEqual(["fd00::7"]);
    expect(await resolver.resolve4("a.wild.example")).toEqual(["240.240.0.3"]);
  });

  test("a known name without an address of that family has none, and keeps the other", async () => {
    const both = await Promise.allSettled([
      resolver.resolve4("users.shop.svc.cluster.local"),
      resolver.resolve6("users.shop.svc.cluster.local"),
    ]);
    expect(both.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  });

  test("any other name does not exist", async () => {
    await expect(resolver.resolve4("example.com")).rejects.toMatchObject({ code: "ENOTFOUND" });
    await expect(resolver.resolve6("example.com")).rejects.toMatchObject({ code: "ENOTFOUND" });
  });

  test("a name in other letters is the same name", async () => {
    expect(await resolver.resolve4("Users.Shop.svc.cluster.LOCAL")).toEqual(["10.96.0.7"]);
  });
});

async function freeUdpPort(): Promise<number> {
  const probe = createSocket("udp4");
  await new Promise<void>((resolve) => probe.bind(0, "127.0.0.1", resolve));
  const { port } = probe.address();
  await new Promise<void>((resolve) => probe.close(resolve));
  return port;
}
