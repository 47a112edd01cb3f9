/**
 * Generates `src/gen/` (protobuf-es messages of Envoy's API and of `proto/`) from the .proto files that @grpc/grpc-js-xds ships.
 * Nothing of it is committed: `make` runs this after `npm ci`. Does nothing where the output is newer than its inputs.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, globSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { generateSchemas } from "./gen-schema.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const shipped = join(root, "node_modules/@grpc/grpc-js-xds/deps");
const target = join(root, "src/gen");
const build = join(root, `node_modules/.cache/kumiko-gen-${process.pid}`);
/** Made beside what is there and put in its place at the end: whoever runs from source meanwhile sees the old or the new. */
const output = join(build, "gen");

/** Import files that the package does not ship, or belong to an API version that Envoy no longer speaks. */
const LEFT_OUT = [
  "envoy-api/envoy/service/trace",
  "envoy-api/envoy/service/metrics",
  "envoy-api/envoy/config/trace/v3/opencensus.proto",
  "envoy-api/envoy/config/trace/v3/trace.proto",
  "envoy-api/envoy/extensions/access_loggers/open_telemetry",
  "protoc-gen-validate/java",
  "protoc-gen-validate/tests",
];

if (isCurrent()) process.exit(0);
copyProtoFiles();
generate();
await generateSchemas(join(output, "schema"));
writeFileSync(join(output, "inputs.sha256"), inputsHash());
rmSync(target, { recursive: true, force: true });
renameSync(output, target);
rmSync(build, { recursive: true });
console.log(`gen: ${globSync("**/*.js", { cwd: target }).length} modules in src/gen`);

function isCurrent(): boolean {
  const stamp = join(target, "inputs.sha256");
  return existsSync(stamp) && readFileSync(stamp, "utf8") === inputsHash();
}

function inputsHash(): string {
  const hash = createHash("sha256");
  for (const file of [
    "package-lock.json",
    "scripts/gen.ts",
    "scripts/gen-schema.ts",
    "src/meshtest/document-schema.ts",
    ...globSync(["proto/**/*.proto", "scripts/gen-schema/*.ts"], { cwd: root }).sort(),
  ]) {
    const path = join(root, file);
    if (existsSync(path)) hash.update(file).update(readFileSync(path));
  }
  return hash.digest("hex");
}

function copyProtoFiles(): void {
  rmSync(build, { recursive: true, force: true });
  mkdirSync(build, { recursive: true });
  cpSync(shipped, join(build, "deps"), { recursive: true });
  cpSync(join(root, "proto"), join(build, "deps/kumiko"), { recursive: true });
  for (const path of LEFT_OUT) rmSync(join(build, "deps", path), { recursive: true, force: true });
  removeVersion2(join(build, "deps"));
  for (const file of globSync("**/*.proto", { cwd: build })) dropNewerOptions(join(build, file));
}

/** Envoy's xDS version 2 is gone since 1.18. */
function removeVersion2(folder: string): void {
  for (const entry of readdirSync(folder)) {
    const path = join(folder, entry);
    if (!statSync(path).isDirectory()) continue;
    if (entry.startsWith("v2")) rmSync(path, { recursive: true });
    else removeVersion2(path);
  }
}

/** The shipped validate.proto is older than the files that use it. */
function dropNewerOptions(file: string): void {
  const text = readFileSync(file, "utf8");
  const kept = text.replaceAll(/ ignore_empty: true,?/g, "");
  if (kept !== text) writeFileSync(file, kept);
}

function generate(): void {
  const modules = ["envoy-api", "xds", "googleapis", "protoc-gen-validate", "kumiko"].filter((name) =>
    existsSync(join(build, "deps", name)),
  );
  const yaml = ["version: v2", "modules:", ...modules.map((name) => `  - path: deps/${name}`)];
  writeFileSync(join(build, "buf.yaml"), `${yaml.join("\n")}\n`);
  const plugin = {
    local: join(root, "node_modules/.bin/protoc-gen-es"),
    out: output,
    opt: ["target=js+dts", "import_extension=js"],
    include_imports: true,
    strategy: "all",
  };
  writeFileSync(join(build, "buf.gen.yaml"), JSON.stringify({ version: "v2", plugins: [plugin] }));
  const paths = ["deps/envoy-api/envoy", "deps/xds/xds", "deps/xds/udpa", "deps/kumiko/istio"].flatMap((path) => [
    "--path",
    join(build, path),
  ]);
  const env = { ...process.env, PATH: `${join(root, "node_modules/.bin")}:${dirname(process.execPath)}:${process.env["PATH"]}` };
  execFileSync(join(root, "node_modules/.bin/buf"), ["generate", ...paths], { cwd: build, stdio: "inherit", env });
  writeFileSync(join(output, "package.json"), '{ "type": "module", "sideEffects": false }\n');
}
