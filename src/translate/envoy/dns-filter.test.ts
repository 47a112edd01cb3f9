import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { fromBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { ListenerSchema } from "../../gen/envoy/config/listener/v3/listener_pb.js";
import type { DnsTable } from "../../ir/dns.ts";
import { type EnvoyOracle, startEnvoyOracle } from "../../testing/envoy-oracle.ts";
import { encodeResource } from "./any.ts";
import { toDnsListener } from "./dns-filter.ts";

const table = {
  entries: [
    { names: ["*.wild.example"], addresses: ["240.240.0.3"] },
    { names: ["six.example"], addresses: ["fd00::7"] },
    { names: ["users.shop.svc.cluster.local", "users.shop"], addresses: ["10.96.0.7"] },
  ],
};

describe("toDnsListener, on a real Envoy", () => {
  let oracle: EnvoyOracle;
  let port: number;
  const resolver = new Resolver({ timeout: 1000, tries: 3 });
  beforeAll(async () => {
    port = await freeUdpPort();
    oracle = await startEnvoyOracle({ bindsPorts: true });
    expect(await oracle.judge([onPort(table, port)])).toMatchObject([{ outcome: "accepted" }]);
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

  test("no program of the same user can take its questions, whatever it asks the kernel for", async () => {
    const beside = createSocket({ type: "udp4", reusePort: true, reuseAddr: true });
    onTestFinished(() => void beside.close());
    const heard = new Promise((resolve) => beside.once("error", resolve).once("listening", () => resolve("listens")));
    beside.bind(port, "127.0.0.1");
    expect(await heard).toMatchObject({ code: "EADDRINUSE" });
  });

  test("every question is answered while the table changes", async () => {
    let isChanging = true;
    const asking = (async () => {
      let asked = 0;
      for (; isChanging || asked === 0; asked++) expect(await resolver.resolve4("users.shop.svc.cluster.local")).toEqual(["10.96.0.7"]);
      return asked;
    })();
    for (let i = 1; i <= 5; i++) {
      const entries = [...table.entries, { names: ["new.example"], addresses: [`10.96.1.${i}`] }];
      expect(await oracle.judge([onPort({ entries }, port)])).toMatchObject([{ outcome: "accepted" }]);
    }
    isChanging = false;
    expect(await asking).toBeGreaterThan(0);
    expect(await resolver.resolve4("new.example")).toEqual(["10.96.1.5"]);
  });
});

/** The listener as it is, on a port that is free. */
function onPort(table: DnsTable, port: number) {
  const given = toDnsListener(table);
  const listener = fromBinary(ListenerSchema, given.bytes);
  if (listener.address?.address.case === "socketAddress") listener.address.address.value.portSpecifier = { case: "portValue", value: port };
  return encodeResource(ListenerSchema, listener, given);
}

async function freeUdpPort(): Promise<number> {
  const probe = createSocket("udp4");
  await new Promise<void>((resolve) => probe.bind(0, "127.0.0.1", resolve));
  const { port } = probe.address();
  await new Promise<void>((resolve) => probe.close(resolve));
  return port;
}
