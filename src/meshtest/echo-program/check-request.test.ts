import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CheckRequestSchema, CheckResponseSchema } from "../../gen/envoy/service/auth/v3/external_auth_pb.js";
import { EchoUnderTest, freshAddress, orderTo } from "../../testing/echo-program.ts";
import { CHECK_PATH, formatCheckResponse, readCheckHeaders } from "./check-request.ts";

const messageOf = (request: object): Uint8Array =>
  toBinary(CheckRequestSchema, create(CheckRequestSchema, { attributes: { request: { time: { seconds: 5n }, http: request } } } as never));

describe("headers of a check", () => {
  test.each([
    {
      title: "are read among other fields",
      request: { id: "7", method: "GET", headers: { ":path": "/", "x-echo-status": "403" }, size: 99n },
    },
    {
      title: "are read where Envoy sends them raw",
      request: {
        headerMap: {
          headers: [
            { key: ":path", rawValue: Buffer.from("/") },
            { key: "x-echo-status", value: "403" },
          ],
        },
      },
    },
  ])("$title", ({ request }) => {
    expect(readCheckHeaders(messageOf(request))).toEqual([
      [":path", "/"],
      ["x-echo-status", "403"],
    ]);
  });

  test("are none in an empty message", () => {
    expect(readCheckHeaders(new Uint8Array())).toEqual([]);
  });

  test.each(["0a", "0aff", "0a05", "0b", "ff"])("are undefined in what is no message: %s", (hex) => {
    expect(readCheckHeaders(Buffer.from(hex, "hex"))).toBeUndefined();
  });

  test("random bytes and shortened messages never throw", () => {
    const whole = messageOf({ headers: { "x-echo-status": "403" } });
    for (let end = 0; end < whole.length; end++) expect(() => readCheckHeaders(whole.subarray(0, end))).not.toThrow();
    for (let i = 0; i < 5_000; i++) expect(() => readCheckHeaders(randomBytes(i % 60))).not.toThrow();
  });
});

test.each([
  { isAllowed: true, code: 0 },
  { isAllowed: false, code: 7 },
])("an answer holds its code: $code", ({ isAllowed, code }) => {
  expect(fromBinary(CheckResponseSchema, formatCheckResponse(isAllowed)).status?.code).toBe(code);
});

describe("an echo program that is asked as an authorizer", () => {
  let echo: EchoUnderTest;
  let address: string;
  beforeEach(async () => {
    echo = new EchoUnderTest();
    address = freshAddress();
    await echo.listen({ address, port: 8080, as: "a/authorizer" });
  });
  afterEach(() => echo.close());

  test.each([
    { status: undefined, code: 0 },
    { status: "200", code: 0 },
    { status: "399", code: 0 },
    { status: "400", code: 7 },
    { status: "503", code: 7 },
  ])("answers $code to x-echo-status $status", async ({ status, code }) => {
    const headers = status === undefined ? {} : { "x-echo-status": status };
    const body = Buffer.from(messageOf({ headers })).toString("latin1");
    expect([...body].every((char) => char < "\u0080")).toBe(true);
    const report = await echo.send(orderTo(address, { protocol: "grpc", method: "POST", path: CHECK_PATH, body }));
    expect(report).toMatchObject({ status: 200, trailers: [["grpc-status", "0"]] });
    const answer = report.kind === "response" ? fromBinary(CheckResponseSchema, Buffer.from(report.body)) : undefined;
    expect(answer?.status?.code).toBe(code);
    expect(echo.arrivals()).toMatchObject([{ at: "a/authorizer", request: { protocol: "grpc", path: CHECK_PATH, body: "" } }]);
  });
});
