import { expect, test } from "vitest";
import { readApiDocument } from "./openapi.ts";

const api = readApiDocument();

test("an operation carries its method, its path in Fastify's form, and its schemas without references", () => {
  const operation = api.operation("getVideo");
  expect(operation).toMatchObject({ method: "GET", url: "/api/v1/videos/:videoId", schema: { params: { required: ["videoId"] } } });
  expect(JSON.stringify(operation.schema)).not.toContain("$ref");
});

test("only successes have response schemas: problems are written by the error handler", () => {
  expect(Object.keys(api.operation("signUp").schema.response ?? {})).toEqual(["200", "201"]);
});

test("an operation that the document has not is a mistake that shows at start", () => {
  expect(() => api.operation("signUpp")).toThrow('no operation "signUpp"');
});
