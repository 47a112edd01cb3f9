import { execFile, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";

const BASE = join(import.meta.dirname, "k8s");
const OVERLAYS = join(import.meta.dirname, "overlays");
const KUSTOMIZATION = "kustomization.yaml";

interface Container {
  readonly name: string;
  readonly image: string;
  readonly securityContext?: object;
  readonly resources?: object;
  readonly livenessProbe?: object;
  readonly readinessProbe?: object;
}
interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Readonly<Record<string, string>> };
  // What it may hold is said by its schema, which is checked below.
  readonly spec: {
    readonly selector: Readonly<Record<string, string>> & { readonly matchLabels: Readonly<Record<string, string>> };
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: { readonly serviceAccountName: string; readonly containers: readonly Container[]; readonly securityContext?: object };
    };
  };
}
interface Kustomization {
  readonly resources?: readonly string[];
  readonly patches?: readonly { readonly path: string }[];
}

const yamlFilesIn = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".yaml"))
    .toSorted();
const documentsOf = (text: string) => parseAllDocuments(text).map((document) => document.toJS() as Manifest);
const readKustomization = (folder: string) => parse(readFileSync(join(folder, KUSTOMIZATION), "utf8")) as Kustomization;
const nameOf = ({ kind, metadata }: Manifest) => `${kind}/${metadata.namespace ?? ""}/${metadata.name}`;

const resourceFiles = [
  ...yamlFilesIn(BASE).map((file) => join(BASE, file)),
  ...["disruption-budgets.yaml", "database-replica.yaml"].map((file) => join(OVERLAYS, "production", file)),
].filter((file) => !file.endsWith(KUSTOMIZATION));
const manifests = resourceFiles.flatMap((file) =>
  documentsOf(readFileSync(file, "utf8")).map((manifest) => ({
    title: `${nameOf(manifest)} of ${relative(import.meta.dirname, file)}`,
    manifest,
  })),
);
const ofKind = (kind: string) => manifests.filter(({ manifest }) => manifest.kind === kind);

/** Kubernetes' and Istio's own schemas, as packages that are made from their CRDs. */
async function checkSchema(manifest: object & Pick<Manifest, "apiVersion" | "kind">): Promise<void> {
  const { apiVersion, kind } = manifest;
  const isIstio = apiVersion.includes("istio.io/");
  const group = isIstio ? `@kubernetes-models/istio/${apiVersion}` : `kubernetes-models/${apiVersion}`;
  const module = (await import(`${group}/${kind}`)) as Record<string, new (data: object) => { validate(): void }>;
  const Model = module[kind];
  if (Model === undefined) throw new Error(`no schema of ${apiVersion} ${kind}`);
  new Model(manifest).validate();
}

describe("the manifests", () => {
  test.each(manifests)("$title fits its schema", async ({ manifest }) => {
    await checkSchema(manifest);
  });

  test("would not pass with a field of another type", async () => {
    const { manifest } = ofKind("DestinationRule")[0] ?? {};
    await expect(checkSchema({ ...manifest, spec: { host: 7 } } as never)).rejects.toThrow("host");
  });

  test("name each thing once, and every namespace is there", () => {
    const names = manifests.map(({ manifest }) => nameOf(manifest));
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    const namespaces = new Set(ofKind("Namespace").map(({ manifest }) => manifest.metadata.name));
    const homeless = manifests.filter(
      ({ manifest: { kind, metadata } }) => kind !== "Namespace" && !namespaces.has(metadata.namespace ?? ""),
    );
    expect(homeless).toEqual([]);
  });

  test.each(ofKind("Service"))("$title selects a Deployment's Pods", ({ manifest }) => {
    const wanted = Object.entries(manifest.spec.selector);
    const found = ofKind("Deployment").filter(({ manifest: { metadata, spec } }) => {
      const labels = spec.template.metadata.labels;
      return metadata.namespace === manifest.metadata.namespace && wanted.every(([key, value]) => labels[key] === value);
    });
    expect(found).not.toEqual([]);
  });

  test.each(ofKind("Deployment"))("$title has an owner, an identity of its own, limits, and no privilege", ({ manifest }) => {
    const { metadata, spec } = manifest;
    expect(metadata.labels).toHaveProperty("team");
    expect(spec.template.metadata.labels).toMatchObject({ team: metadata.labels?.["team"], ...spec.selector.matchLabels });
    expect(manifests.map((one) => nameOf(one.manifest))).toContain(
      `ServiceAccount/${metadata.namespace}/${spec.template.spec.serviceAccountName}`,
    );
    expect(spec.template.spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
    for (const container of spec.template.spec.containers) {
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
      expect(container.resources).toHaveProperty("limits.memory");
      if (container.image === "auto") continue;
      expect(container.image).toMatch(/^ghcr\.io\/.+:\d+\.\d+\.\d+$/);
      expect([container.livenessProbe, container.readinessProbe]).not.toContain(undefined);
    }
  });
});

describe("the kustomizations", () => {
  test("the base lists every file that is there, and nothing else", () => {
    const files = yamlFilesIn(BASE).filter((file) => file !== KUSTOMIZATION);
    expect([...(readKustomization(BASE).resources ?? [])].toSorted()).toEqual(files);
  });

  test.each(readdirSync(OVERLAYS))("%s builds on the base, and uses every file that it has", (overlay) => {
    const folder = join(OVERLAYS, overlay);
    const { resources = [], patches = [] } = readKustomization(folder);
    expect(resources).toContain("../../k8s");
    const used = [...resources.filter((one) => one !== "../../k8s"), ...patches.map(({ path }) => path)];
    expect(used.toSorted()).toEqual(yamlFilesIn(folder).filter((file) => file !== KUSTOMIZATION));
  });
});

/** `KUBECTL`, or what is on the PATH. */
const kubectl = process.env["KUBECTL"] ?? "kubectl";
const hasKubectl = spawnSync(kubectl, ["version", "--client"], { stdio: "ignore" }).status === 0;

describe.skipIf(!hasKubectl)("what kubectl makes of them", () => {
  const build = async (overlay: string) => {
    const { stdout } = await promisify(execFile)(kubectl, ["kustomize", join(OVERLAYS, overlay)], { cwd: dirname(OVERLAYS) });
    return documentsOf(stdout);
  };

  test("the laptop's overlay is the base as it is: what `kumiko up` reads is what a local cluster is given", async () => {
    const base = yamlFilesIn(BASE).filter((file) => file !== KUSTOMIZATION);
    const expected = base.flatMap((file) => documentsOf(readFileSync(join(BASE, file), "utf8")));
    const built = await build("laptop");
    const byName = (documents: readonly Manifest[]) => Object.fromEntries(documents.map((one) => [nameOf(one), one]));
    expect(byName(built)).toEqual(byName(expected));
  });

  test("production has three of each, spread over the zones, reads from a replica, and still fits the schemas", async () => {
    const built = await build("production");
    for (const manifest of built) await checkSchema(manifest);
    const user = built.find((one) => nameOf(one) === "Deployment/platform/user-service-v1");
    expect(user?.spec).toMatchObject({ replicas: 3, template: { spec: { topologySpreadConstraints: [{ maxSkew: 1 }] } } });
    expect(JSON.stringify(user)).toContain('"key":"reader-url","name":"user-service-database"');
  });
});
