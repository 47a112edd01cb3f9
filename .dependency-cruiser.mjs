/**
 * The import rule: a file imports from its own folder and from those above it in the line; see ARCHITECTURE.md. The list of folders is
 * written once, here. `scripts/import-rules.test.ts` plants violations and sees them caught.
 */
const order = ["base", "model", "schema", "mesh", "analyze", "ir", "translate", "evaluate"];
const edges = ["source", "store", "xds", "ca", "agent", "runtime", "telemetry", "admin"];
const above = (layer) => order.slice(0, order.indexOf(layer) + 1);
const src = (names) => `^src/(${[...names, "gen"].join("|")})/`;
const tests = "[.]test[.]ts$|^src/testing/|^test/|^scripts/";

export default {
  forbidden: [
    ...order.map((layer) => ({
      name: `${layer}-looks-down`,
      severity: "error",
      comment: `one straight line: src/${layer} may import only ${above(layer).join(", ")} and gen`,
      from: { path: `^src/${layer}/`, pathNot: tests },
      to: { path: "^src/", pathNot: src(above(layer)) },
    })),
    ...edges.map((edge) => ({
      name: `${edge}-knows-another-edge`,
      severity: "error",
      comment:
        "edges meet only in controlplane/, meshtest/ and cli/; store/ is a contract, xds/protocol the pure state that server and agent share",
      from: { path: `^src/${edge}/`, pathNot: tests },
      to: { path: "^src/", pathNot: src([...order, edge, "store", "xds/protocol"]) },
    })),
    {
      name: "core-is-pure",
      severity: "error",
      comment: "the core sees no Node: the same input must give the same bytes, anywhere",
      from: { path: src(order), pathNot: `${tests}|^src/gen/` },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "controlplane-knows-the-cli",
      severity: "error",
      comment: "the control plane runs without a terminal: commands call it, not the other way round",
      from: { path: "^src/controlplane/", pathNot: tests },
      to: { path: "^src/(cli/|main[.]ts)" },
    },
    {
      name: "meshtest-knows-what-calls-it",
      severity: "error",
      comment: "tests of a mesh's behaviour run without a control plane and a terminal: the command calls them, not the other way round",
      from: { path: "^src/meshtest/", pathNot: tests },
      to: { path: "^src/(controlplane/|cli/|main[.]ts)" },
    },
    {
      name: "controlplane-knows-meshtest",
      severity: "error",
      comment: "what serves a mesh needs nothing of what tests one",
      from: { path: "^src/controlplane/", pathNot: tests },
      to: { path: "^src/meshtest/" },
    },
    {
      name: "product-knows-its-tests",
      severity: "error",
      comment: "fakes and builders are for tests only, and are not in the package",
      from: { path: "^src/", pathNot: tests },
      to: { path: "^src/testing/|[.]test[.]ts$|^test/" },
    },
    {
      name: "platform-knows-the-mesh",
      severity: "error",
      comment: "the platform looks like a customer's code: it imports nothing of ours, so that it runs on a stock Istio too",
      from: { path: "^platform/" },
      to: { path: "^(src|scripts|test|console)/" },
    },
    {
      name: "console-knows-the-server",
      severity: "error",
      comment: "the console runs in the browser, against the admin API or a fake of it",
      from: { path: "^console/" },
      to: { path: "^(src|scripts|test|platform)/" },
    },
    {
      name: "no-cycles",
      severity: "error",
      comment: "modules that need each other to load are one module; types, and what is loaded later by import(), may refer to each other",
      from: { pathNot: "^src/gen/" },
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only", "dynamic-import"] } },
    },
    {
      name: "not-declared",
      severity: "error",
      comment: "what the product imports stands under dependencies, or the installed package would miss it",
      from: { path: "^src/", pathNot: tests },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown", "unknown"], dependencyTypesNot: ["type-only"] },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules|^src/gen/" },
    exclude: { path: "/dist/" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "require", "node", "default", "types"] },
  },
};
