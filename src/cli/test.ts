import { defineCommand } from "./command.ts";

export const test = defineCommand({
  name: "test",
  summary: "Run MeshTests: what the mesh does with given requests",
  arguments: [
    {
      name: "path",
      help: "files with MeshTest documents, and folders to search for them (the current one)",
      optional: true,
      variadic: true,
    },
  ],
  options: {
    filter: { type: "string", value: "TEXT", help: "only calls whose name, or whose test's name, contains it" },
    output: {
      type: "string",
      short: "o",
      value: "FORMAT",
      help: "how to print it",
      choices: ["text", "json", "junit", "tap"],
      default: "text",
    },
    notes: { type: "boolean", help: "print the notes on what has no effect here, too" },
    coverage: { type: "boolean", help: "list the routes, rules, policies and filter chains that no call has reached" },
    coverageMin: { type: "number", value: "PERCENT", help: "fail where fewer of them are reached" },
    mutate: { type: "boolean", help: "change one rule at a time, and list the changes that no call notices" },
    mutateMin: { type: "number", value: "PERCENT", help: "fail where fewer of them are noticed" },
    watch: { type: "boolean", help: "run again whenever a file changes, until Ctrl-C" },
    real: { type: "boolean", help: "send the requests through real Envoys, started for it" },
    both: { type: "boolean", help: "ask both the evaluator and real Envoys; where they disagree, a call fails" },
    envoy: { type: "string", value: "FILE", help: "the Envoy to run (also KUMIKO_ENVOY)" },
  },
  examples: [
    "kumiko test mesh.test.yaml",
    "kumiko test tests --filter canary",
    "kumiko test . --coverage-min 80 --output junit > results.xml",
    "kumiko test . --both",
  ],
  async run({ args, options, io }) {
    // Loaded only here: help needs none of it.
    const { runTest } = await import("./test-run.ts");
    return await runTest(args, options, io);
  },
});
