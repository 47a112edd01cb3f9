import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { fromBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { ListenerSchema } from "../gen/envoy/config/listener/v3/listener_pb.js";
import { toDiagnostics } from "../mesh/index.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import { formatPosition } from "../model/position.ts";
import type { Proxy } from "../model/proxy.ts";
import { type EnvoyOracle, startEnvoyOracle } from "../testing/envoy-oracle.ts";
import { locateIn, meshOf, resourcesOf, router, sidecar } from "../testing/mesh.ts";
import { ownCertificate } from "../testing/own-secrets.ts";
import { toXdsYaml } from "../testing/xds-yaml.ts";
import { createTranslator } from "./index.ts";

/** Each folder is one behaviour: its name says which, `input.yaml` is all of the mesh, `proxy.yaml` who asks and what of the answer to show. */
const root = fileURLToPath(new URL("../../testdata/translate/", import.meta.url));
const behaviours = readdirSync(root).toSorted();

interface Asked extends Partial<Proxy> {
  /** Beginnings of `type/name`. */
  readonly show: readonly string[];
}

/** Goldens hold no key: a real Envoy is given one of this run in place of the words that stand for it. */
function withRealKey(input: string): string {
  const { certificate, key } = ownCertificate();
  return input
    .replaceAll('"-----BEGIN CERTIFICATE-----"', JSON.stringify(certificate))
    .replaceAll('"-----BEGIN PRIVATE KEY-----"', JSON.stringify(key));
}

function translated(behaviour: string, prepare = (input: string) => input) {
  const { show, ...over } = parse(readFileSync(`${root}${behaviour}/proxy.yaml`, "utf8")) as Asked;
  const proxy = over.type === "router" ? router(over) : sidecar(over);
  const input = prepare(readFileSync(`${root}${behaviour}/input.yaml`, "utf8"));
  const { snapshot, findings } = createTranslator().translate(meshOf(input), proxy);
  const diagnostics = toDiagnostics(findings, locateIn(resourcesOf(input)));
  const resources = [...snapshot.values()].flatMap((byName) => [...byName.values()]);
  return {
    snapshot,
    isRouter: proxy.type === "router",
    shown: resources.filter(({ type, name }) => show.some((start) => `${type}/${name}`.startsWith(start))),
    diagnostics,
  };
}

function format(diagnostics: readonly Diagnostic[]): string {
  return diagnostics
    .map(
      ({ position, severity, code, message }) =>
        `${position === undefined ? "-" : formatPosition(position)} ${severity} ${code} ${message}\n`,
    )
    .join("");
}

/** In CI nothing is written: what differs or is missing fails. */
async function matchesFile(actual: string, path: string): Promise<boolean> {
  if (process.env["CI"] !== undefined) return actual === readFileSync(path, "utf8");
  await expect(actual).toMatchFileSnapshot(path);
  return true;
}

describe("translation", () => {
  let oracle: EnvoyOracle;
  beforeAll(async () => {
    oracle = await startEnvoyOracle();
  });
  afterAll(() => oracle.close());

  test.each(behaviours)("%s", async (behaviour) => {
    const { shown, diagnostics } = translated(behaviour);
    expect(await matchesFile(toXdsYaml(shown), `${root}${behaviour}/xds.yaml`)).toBe(true);
    expect(await matchesFile(format(diagnostics), `${root}${behaviour}/diagnostics.txt`)).toBe(true);
  });

  test.each(behaviours)("%s is accepted by a real Envoy", async (behaviour) => {
    const verdicts = await oracle.judge(translated(behaviour, withRealKey).snapshot);
    expect(verdicts.filter(({ outcome }) => outcome === "refused")).toEqual([]);
  });

  test.each(behaviours)("%s shares no port of a sidecar with its application", (behaviour) => {
    const { snapshot, isRouter } = translated(behaviour);
    const listeners = [...(snapshot.get("listener")?.values() ?? [])].map(({ bytes }) => fromBinary(ListenerSchema, bytes));
    const shared = listeners.filter(({ bindToPort, enableReusePort }) => bindToPort !== false && enableReusePort !== false);
    expect(isRouter ? [] : shared.map(({ name }) => name)).toEqual([]);
  });

  test.each(behaviours)("%s has an input of 60 lines at most", (behaviour) => {
    expect(readFileSync(`${root}${behaviour}/input.yaml`, "utf8").trimEnd().split("\n").length).toBeLessThanOrEqual(60);
  });
});
