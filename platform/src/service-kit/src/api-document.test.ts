import { createConfig, lintFromString } from "@redocly/openapi-core";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { addApiDocument, apiDocumentPath, readApiDocument } from "./openapi.ts";
import { createServer } from "./server.ts";

const api = readApiDocument();
const METHODS = ["get", "post", "put", "patch", "delete"];

async function lint(source: string): Promise<readonly string[]> {
  // Every failure is the problem of "default"; the hosts are this example's own.
  const config = await createConfig({
    extends: ["recommended"],
    rules: { "operation-4xx-response": "off", "no-server-example.com": "off" },
  });
  const problems = await lintFromString({ source, absoluteRef: apiDocumentPath.pathname, config });
  return problems.map(({ ruleId, message, location }) => `${ruleId} ${location[0]?.pointer ?? ""}: ${message}`);
}

describe("docs/api/openapi.yaml", () => {
  test("has nothing that the linter finds", async () => {
    expect(await lint(api.text)).toEqual([]);
  });

  test("would not pass with an operation that has no name", async () => {
    const problems = await lint(api.text.replace("operationId: signUp", "x-nothing: true"));
    expect(problems.join()).toContain("operation-operationId");
  });

  test("has a problem as the answer to whatever fails, for every operation", () => {
    const { paths } = parse(api.text) as { paths: Record<string, Record<string, { responses?: Record<string, { $ref?: string }> }>> };
    const without = Object.entries(paths).flatMap(([path, item]) =>
      METHODS.filter(
        (method) => item[method] !== undefined && item[method].responses?.["default"]?.$ref !== "#/components/responses/Problem",
      ).map((method) => `${method} ${path}`),
    );
    expect(without).toEqual([]);
  });

  test("is served as it is written", async () => {
    const server = createServer({ name: "test", version: "v1", logLevel: "silent" });
    addApiDocument(server, api);
    const answer = await server.inject("/openapi.yaml");
    expect([answer.headers["content-type"], answer.body]).toEqual(["application/yaml; charset=utf-8", api.text]);
  });
});
