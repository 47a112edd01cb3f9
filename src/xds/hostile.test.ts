import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { ServerCredentials, status } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DeltaDiscoveryRequestSchema } from "../gen/envoy/service/discovery/v3/discovery_pb.js";
import { FAKE_NODE_ID, FakeXdsClient } from "../testing/fake-xds-client.ts";
import { edsCluster, endpoints, snapshotOf } from "../testing/xds-fixture.ts";
import { typeUrlOf } from "./protocol/offer.ts";
import { createGrpcServer, createXdsService, type XdsEvent } from "./index.ts";
import { fc } from "../testing/property.ts";

const folder = mkdtempSync(join(tmpdir(), "kumiko-hostile-"));
const server = createGrpcServer();
const events: XdsEvent[] = [];
const service = createXdsService({
  snapshotFor: () => snapshotOf([edsCluster("a"), endpoints("a", [1])]),
  admit: (_peer, claimed) => claimed,
  observe: (event) => events.push(event),
});

beforeAll(async () => {
  service.register(server, "unix");
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${folder}/xds.sock`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    );
  });
});

afterAll(() => {
  service.close();
  server.forceShutdown();
  rmSync(folder, { recursive: true, force: true });
});

const text = fc.oneof(fc.string(), fc.constantFrom("*", "", "__proto__", "a", typeUrlOf("cluster"), typeUrlOf("endpoint")));

/** Requests that decode and make little sense, and bytes that don't decode. */
const request = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc
    .record({
      typeUrl: fc.oneof(text, fc.constantFrom(typeUrlOf("cluster"), typeUrlOf("endpoint"), typeUrlOf("secret"))),
      responseNonce: text,
      resourceNamesSubscribe: fc.array(text, { maxLength: 5 }),
      resourceNamesUnsubscribe: fc.array(text, { maxLength: 5 }),
      initialResourceVersions: fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }),
      isRefusal: fc.boolean(),
      isNamed: fc.boolean(),
    })
    .map(({ isRefusal, isNamed, ...rest }) =>
      toBinary(
        DeltaDiscoveryRequestSchema,
        create(DeltaDiscoveryRequestSchema, {
          ...rest,
          ...(isNamed && { node: { id: FAKE_NODE_ID } }),
          ...(isRefusal && { errorDetail: { code: 3, message: "no" } }),
        }),
      ),
    ),
);

test("a request after one that can't be read does not keep the stream open", async () => {
  const client = new FakeXdsClient("delta", { address: `unix:${folder}/xds.sock` });
  const subscribe = (type: "cluster" | "endpoint") =>
    toBinary(
      DeltaDiscoveryRequestSchema,
      create(DeltaDiscoveryRequestSchema, { typeUrl: typeUrlOf(type), resourceNamesSubscribe: ["a"], node: { id: FAKE_NODE_ID } }),
    );
  for (const bytes of [subscribe("cluster"), Uint8Array.of(0), subscribe("endpoint")]) client.raw(bytes);
  expect(await client.ended()).toMatchObject({ code: status.INVALID_ARGUMENT });
  client.close();
});

test("whatever a client sends ends its own stream at most; our own failures are none of its causes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("delta" as const, "sotw" as const),
      fc.array(request, { minLength: 1, maxLength: 8 }),
      async (kind, requests) => {
        const client = new FakeXdsClient(kind, { address: `unix:${folder}/xds.sock` });
        for (const bytes of requests) client.raw(bytes);
        await client.finish();
        client.close();
      },
    ),
    { numRuns: Number(process.env["KUMIKO_PROPERTY_RUNS"] ?? 300) },
  );
  const good = new FakeXdsClient("delta", { address: `unix:${folder}/xds.sock` });
  good.subscribe("cluster");
  expect((await good.next("cluster")).resources).toHaveLength(1);
  expect(events.filter(({ kind }) => kind === "failed")).toEqual([]);
  good.close();
});
