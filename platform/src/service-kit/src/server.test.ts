import { describe, expect, test } from "vitest";
import { addHealth } from "./health.ts";
import { Problem } from "./problem.ts";
import { createServer } from "./server.ts";

const build = () => {
  const lines: string[] = [];
  const server = createServer({ name: "test", version: "v7", logLevel: "info", logTo: { write: (line) => lines.push(line) } });
  server.post(
    "/echo",
    { schema: { body: { type: "object", required: ["a"], additionalProperties: false, properties: { a: { type: "string" } } } } },
    async (request) => {
      return request.body;
    },
  );
  server.get("/problem", async () => {
    throw new Problem(409, "Conflict", { detail: "there already" });
  });
  server.get("/broken", async (request) => {
    request.log.info({ headers: request.headers, authorization: request.headers.authorization }, "careless");
    throw new Error("password=hunter2");
  });
  return { server, lines };
};

describe("a service's server", () => {
  test("names its version and keeps the request's id", async () => {
    const { server } = build();
    const answer = await server.inject({ url: "/problem", headers: { "x-request-id": "abc-1" } });
    expect(answer.headers).toMatchObject({ "x-service-version": "v7", "x-request-id": "abc-1" });
  });

  test("makes an id where the request's could forge a log line", async () => {
    const { server } = build();
    const answer = await server.inject({ url: "/problem", headers: { "x-request-id": 'x" evil' } });
    expect(answer.headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  });

  test.each([
    {
      title: "a problem that was thrown",
      request: { url: "/problem" },
      expected: { status: 409, title: "Conflict", detail: "there already" },
    },
    { title: "a path that is not there", request: { url: "/nowhere" }, expected: { status: 404, title: "Not found" } },
    {
      title: "a body that does not fit",
      request: { url: "/echo", method: "POST", payload: { b: 1 } } as const,
      expected: { status: 400, errors: [{ in: "body", pointer: "", detail: "must have required property 'a'" }] },
    },
    {
      title: "a body that is not JSON",
      request: { url: "/echo", method: "POST", payload: "{", headers: { "content-type": "application/json" } } as const,
      expected: { status: 400 },
    },
    {
      title: "a body that is too large",
      request: { url: "/echo", method: "POST", payload: { a: "x".repeat(70_000) } } as const,
      expected: { status: 413 },
    },
    {
      title: "another media type",
      request: { url: "/echo", method: "POST", payload: "a", headers: { "content-type": "text/csv" } } as const,
      expected: { status: 415 },
    },
  ])("answers $title as problem+json", async ({ request, expected }) => {
    const answer = await build().server.inject(request);
    expect(answer.headers["content-type"]).toBe("application/problem+json");
    expect(answer.statusCode).toBe(expected.status);
    expect(answer.json()).toMatchObject(expected);
  });

  test("an unknown field is refused, not dropped", async () => {
    const answer = await build().server.inject({ url: "/echo", method: "POST", payload: { a: "1", role: "admin" } });
    expect(answer.statusCode).toBe(400);
  });

  test("what broke inside is logged, not told", async () => {
    const { server, lines } = build();
    const answer = await server.inject({ url: "/broken" });
    expect(answer.json()).toMatchObject({ status: 500, title: "Internal server error" });
    expect(answer.body).not.toContain("hunter2");
    expect(lines.join("")).toContain("hunter2");
  });

  test("a request is one line, with what was asked and what came of it", async () => {
    const { server, lines } = build();
    await server.inject({ url: "/nowhere?secret=1" });
    const own = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(own).toEqual([
      expect.objectContaining({
        msg: "request completed",
        req: { method: "GET", path: "/nowhere" },
        res: { status: 404 },
        responseTime: expect.any(Number) as number,
      }),
    ]);
  });

  test("no token reaches the log, even where a handler logs headers", async () => {
    const { server, lines } = build();
    await server.inject({
      url: "/broken?access_token=eyJ-in-query",
      headers: { authorization: "Bearer eyJ-in-header", cookie: "session=eyJ-in-cookie" },
    });
    expect(lines.join("")).toContain("careless");
    expect(lines.join("")).not.toContain("eyJ-");
  });
});

describe("health", () => {
  test("start stays good once it was; ready follows the checks; live asks for nothing", async () => {
    const { server } = build();
    let isUp = false;
    addHealth(server, { database: async () => (isUp ? undefined : Promise.reject(new Error("down"))) });
    const status = async (path: string) => (await server.inject({ url: `/health/${path}` })).statusCode;
    expect([await status("live"), await status("start"), await status("ready")]).toEqual([200, 503, 503]);
    isUp = true;
    expect([await status("start"), await status("ready")]).toEqual([200, 200]);
    isUp = false;
    expect([await status("live"), await status("start"), await status("ready")]).toEqual([200, 200, 503]);
  });
});
