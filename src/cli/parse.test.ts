import { describe, expect, test } from "vitest";
import { MeshError } from "../model/error.ts";
import { parse } from "./parse.ts";

async function parsed(line: string) {
  const result = await parse(line.split(" ").filter((word) => word !== ""));
  if (result.kind !== "run") throw new Error(`answered: ${result.text}`);
  return { command: result.command.name, args: result.args, options: { ...result.options } as Record<string, unknown> };
}

describe("a command line", () => {
  test.each([
    { line: "get pods", command: "get", args: ["pods"], options: { allNamespaces: false } },
    { line: "get pods -A", command: "get", args: ["pods"], options: { allNamespaces: true } },
    { line: "get vs reviews -n shop -o yaml", command: "get", args: ["vs", "reviews"], options: { namespace: "shop", output: "yaml" } },
    { line: "-n shop get vs", command: "get", args: ["vs"], options: { namespace: "shop" } },
    { line: "get vs -nshop -ojson", command: "get", args: ["vs"], options: { namespace: "shop", output: "json" } },
    {
      line: "get --namespace=shop vs,dr -l app=users",
      command: "get",
      args: ["vs,dr"],
      options: { namespace: "shop", selector: "app=users" },
    },
    { line: "apply -f a.yaml -f b.yaml", command: "apply", args: [], options: { filename: ["a.yaml", "b.yaml"], recursive: false } },
    { line: "apply", command: "apply", args: [], options: { filename: [] } },
    { line: "delete vs/a vs/b --ignore-not-found", command: "delete", args: ["vs/a", "vs/b"], options: { ignoreNotFound: true } },
    { line: "proxy routes users -n shop", command: "proxy", args: ["routes", "users"], options: { namespace: "shop" } },
    { line: "logs users -f --tail 20", command: "logs", args: ["users"], options: { follow: true, tail: 20 } },
    { line: "up platform --profile istio", command: "up", args: ["platform"], options: { profile: "istio" } },
    { line: "up", command: "up", args: [], options: {} },
    { line: "serve a b --dev", command: "serve", args: ["a", "b"], options: { dev: true } },
    {
      line: "agent --address ::1 --address 10.0.0.1",
      command: "agent",
      args: [],
      options: { address: ["::1", "10.0.0.1"], router: false },
    },
    {
      line: "join-token create --name a --label a=1 --label b=2",
      command: "join-token",
      args: ["create"],
      options: { name: "a", label: ["a=1", "b=2"], router: false, ttl: 600 },
    },
    { line: "__complete -- get po -o", command: "__complete", args: ["get", "po", "-o"], options: {} },
  ])("$line", async ({ line, command, args, options }) => {
    const result = await parsed(line);
    expect(result).toMatchObject({ command, args });
    expect(result.options).toMatchObject(options);
  });

  test.each([
    { line: "gte", message: 'unknown command "gte" (Did you mean get?)', help: "kumiko --help" },
    { line: "get --outpt json", message: 'unknown option "--outpt" (Did you mean --output?)', help: "kumiko get --help" },
    {
      line: "get pods -o table",
      message: '"table" is not a value of "-o, --output <FORMAT>". Allowed choices are json, yaml, wide, name.',
      help: "kumiko get --help",
    },
    { line: "get pods -n", message: "argument missing", help: "kumiko get --help" },
    { line: "proxy rotues users", message: '"rotues" is no "view"', help: "kumiko proxy --help" },
    { line: "proxy routes", message: 'missing required argument "workload"', help: "kumiko proxy --help" },
    { line: "status now", message: "too many arguments", help: "kumiko status --help" },
    { line: "logs users --tail many", message: "must be a number", help: "kumiko logs --help" },
    { line: "logs users --tail -1", message: "must be a number", help: "kumiko logs --help" },
    { line: "constructor", message: 'unknown command "constructor"', help: "kumiko --help" },
  ])("$line is refused with what to type next", async ({ line, message, help }) => {
    const error = await parsed(line).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(MeshError);
    expect((error as MeshError).code).toBe("usage");
    expect((error as MeshError).message).toContain(message);
    expect((error as MeshError).help).toBe(help);
  });
});

describe("help", () => {
  test.each([[""], ["--help"], ["-h"], ["help"]])("of kumiko %s lists the commands, and not those that are ours to call", async (line) => {
    const result = await parse(line === "" ? [] : [line]);
    expect(result).toMatchObject({ kind: "answer" });
    const text = result.kind === "answer" ? result.text : "";
    expect(text).toContain("status");
    expect(text).not.toContain("__complete");
  });

  test.each([["get --help"], ["help get"], ["get pods --help"]])("kumiko %s is that of the command", async (line) => {
    const result = await parse(line.split(" "));
    expect(result.kind === "answer" && result.text).toContain("kumiko get vs reviews -n shop -o yaml");
  });
});
