import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { commandLine } from "../base/shell.ts";
import { findImage, toCommand } from "./container-command.ts";
import { toDesiredWorkload } from "./deployment.ts";
import type { ImageCommand } from "./kumiko-yaml.ts";
import { PortAllocator } from "./local-ports.ts";
import { LogFile } from "./log-file.ts";
import type { DesiredPod } from "./pod.ts";
import { systemPath } from "./system-path.ts";
import { toPodVolumes, VOLUME_FOLDER, writeVolumes } from "./volume.ts";

const image: ImageCommand = { command: ["node", "main.ts"], args: ["--port", "$(PORT)"], workingDir: "users", env: {}, portEnv: undefined };

describe("findImage", () => {
  test.each(["shop/users", "shop/users:1.2", "shop/users@sha256:abc", "shop/users:1.2@sha256:abc"])("%s is found by its name", (name) => {
    expect(findImage({ "shop/users": image }, name)).toBe(image);
  });

  test.each(["constructor", "shop/user", "registry:5000/shop/users"])("%s is not found", (name) => {
    expect(findImage({ "shop/users": image }, name)).toBeUndefined();
  });

  test("a registry's port is no tag, and the tagged entry wins", () => {
    const other = { ...image, args: [] };
    expect(findImage({ "registry:5000/users": image }, "registry:5000/users")).toBe(image);
    expect(findImage({ users: image, "users:2": other }, "users:2")).toBe(other);
  });
});

describe("toCommand", () => {
  test.each([
    { title: "the image's command and arguments", container: {}, command: ["node", "main.ts", "--port", "8080"] },
    { title: "the container's arguments instead of the image's", container: { args: ["--x"] }, command: ["node", "main.ts", "--x"] },
    { title: "the container's command, which drops the image's arguments", container: { command: ["sh"] }, command: ["sh"] },
    { title: "both of the container", container: { command: ["sh"], args: ["-c", "echo $(PORT)"] }, command: ["sh", "-c", "echo 8080"] },
  ])("$title", ({ container, command }) => {
    expect(toCommand({ name: "app", ...container }, image, { PORT: "8080" }, "/work")).toEqual({ command, workingDir: "/work/users" });
  });

  test("a container's own command is read by the image's map of its programs; further words and arguments go on counting", () => {
    const mapped = { ...image, programs: { "/app/server": ["node", "server.js"] } };
    const container = { name: "app", command: ["/app/server", "--trace"], args: ["--port", "80"] };
    const command = ["node", "server.js", "--trace", "--port", "80"];
    expect(toCommand(container, mapped, {}, "/work")).toEqual({ command, workingDir: "/work/users" });
    expect(toCommand({ name: "app", command: ["constructor"] }, mapped, {}, "/work")?.command).toEqual(["constructor"]);
  });

  test("no image and no command is no command", () => {
    expect(toCommand({ name: "app" }, undefined, {}, "/work")).toBeUndefined();
  });
});

describe("volumes", () => {
  const pod = (
    volumes: DesiredPod["spec"]["volumes"],
    volumeMounts: { name: string; mountPath: string; subPath?: string; subPathExpr?: string }[],
  ): DesiredPod => ({
    namespace: "shop",
    name: "users-1",
    owner: { kind: "Deployment", namespace: "shop", name: "users" },
    revision: "r",
    labels: {},
    annotations: {},
    serviceAccount: "users",
    capture: "sidecar",
    spec: { ...(volumes && { volumes }), containers: [{ name: "app", volumeMounts }] },
  });
  const sources = {
    configMap: () => ({ data: { "a.yaml": "a: 1", b: "2" } }),
    secret: (_: string, name: string) => (name === "tls" ? { data: { "tls.key": "a2V5" } } : undefined),
  };

  test("keys of ConfigMaps and Secrets become files, a Secret's readable by their owner only", () => {
    const { mounts, missing } = toPodVolumes(
      pod(
        [
          { name: "config", configMap: { name: "c", items: [{ key: "b", path: "sub/b.txt" }] } },
          { name: "tls", secret: { secretName: "tls" } },
        ],
        [
          { name: "config", mountPath: "/etc/app" },
          { name: "tls", mountPath: "/etc/tls" },
        ],
      ),
      sources,
    );
    expect(missing).toEqual([]);
    const root = mkdtempSync(join(tmpdir(), "kumiko-volume-"));
    onTestFinished(() => rmSync(root, { recursive: true }));
    writeVolumes(root, mounts);
    expect(readFileSync(join(root, VOLUME_FOLDER, "config/sub/b.txt"), "utf8")).toBe("2");
    expect(statSync(join(root, VOLUME_FOLDER, "tls/tls.key")).mode & 0o777).toBe(0o600);
  });

  test("a path that leaves its volume is not written", () => {
    const root = mkdtempSync(join(tmpdir(), "kumiko-volume-"));
    onTestFinished(() => rmSync(root, { recursive: true }));
    writeVolumes(root, [
      { volume: "v", mountPath: "/v", mode: 0o644, files: { "../../../../evil": Buffer.from("x"), "a/../../b": Buffer.from("x") } },
    ]);
    expect(() => statSync(join(root, VOLUME_FOLDER))).toThrow(/ENOENT/);
  });

  test("a projected volume holds what its sources hold: ConfigMaps, Secrets and the Pod's fields; what can't be had is named", () => {
    const projected = {
      defaultMode: 0o440,
      sources: [
        { configMap: { name: "c", items: [{ key: "b", path: "b" }] } },
        { secret: { name: "tls" } },
        { secret: { name: "nope", optional: true } },
        {
          downwardAPI: {
            items: [
              { path: "labels", fieldRef: { fieldPath: "metadata.labels" } },
              { path: "cpu", resourceFieldRef: { resource: "limits.cpu" } },
            ],
          },
        },
        { serviceAccountToken: { path: "token" } },
      ],
    };
    const given = pod([{ name: "all", projected }], [{ name: "all", mountPath: "/all" }]);
    const { mounts, missing, unsupported } = toPodVolumes({ ...given, labels: { b: 'say "x"', a: "1" } }, sources);
    expect(mounts).toMatchObject([{ mode: 0o440, readOnly: true }]);
    const texts = Object.entries(mounts[0]?.files ?? {}).map(([path, content]) => [path, content.toString()]);
    expect(texts).toEqual([
      ["b", "2"],
      ["tls.key", "key"],
      ["labels", 'a="1"\nb="say \\"x\\""'],
    ]);
    expect({ missing, unsupported }).toEqual({ missing: [], unsupported: ["file cpu of volume all"] });
  });

  test("an empty folder's limit is its size; a claim keeps its name; a subPath and readOnly are the mount's", () => {
    const { mounts } = toPodVolumes(
      pod(
        [
          { name: "cache", emptyDir: { sizeLimit: "1.5Mi" } },
          { name: "data", persistentVolumeClaim: { claimName: "disk", readOnly: true } },
        ],
        [
          { name: "cache", mountPath: "/cache", subPath: "a/b" },
          { name: "data", mountPath: "/data" },
        ],
      ),
      sources,
    );
    expect(mounts).toEqual([
      { volume: "cache", mountPath: "/cache", subPath: "a/b", files: {}, mode: 0o644, sizeBytes: 1_572_864 },
      { volume: "data", mountPath: "/data", files: {}, mode: 0o644, claim: "shop/disk", readOnly: true },
    ]);
  });

  test.each(["../../ca", "..", "a/../../../etc", "/etc", "", "Disk"])(
    "a claim named %j stands for no folder, and keeps its pod from starting",
    (claimName) => {
      const volumes = [{ name: "data", persistentVolumeClaim: { claimName } }];
      const { mounts, missing } = toPodVolumes(pod(volumes, [{ name: "data", mountPath: "/data" }]), sources);
      expect({ mounts, missing }).toEqual({ mounts: [], missing: [`volume data: ${JSON.stringify(claimName)} is no claim's name`] });
    },
  );

  test("each pod of a StatefulSet has claims of its own, which win over volumes of the same name", () => {
    const template = {
      metadata: { labels: {} },
      spec: {
        containers: [],
        volumes: [
          { name: "data", emptyDir: {} },
          { name: "tmp", emptyDir: {} },
        ],
      },
    };
    const workload = toDesiredWorkload({
      kind: "StatefulSet",
      metadata: { name: "db", namespace: "shop", labels: {}, annotations: {} },
      body: { spec: { selector: {}, template, volumeClaimTemplates: [{ metadata: { name: "data" } }] } },
    });
    expect(workload?.pod(1).spec.volumes).toEqual([
      { name: "tmp", emptyDir: {} },
      { name: "data", persistentVolumeClaim: { claimName: "data-db-1" } },
    ]);
  });

  test("what is missing keeps the pod waiting; what can't be mounted is named", () => {
    const { missing, unsupported } = toPodVolumes(
      pod(
        [
          { name: "s", secret: { secretName: "nope" } },
          { name: "p", nfs: { server: "a", path: "/b" } },
          { name: "e", emptyDir: {} },
        ],
        [
          { name: "s", mountPath: "/s" },
          { name: "p", mountPath: "/p" },
          { name: "u", mountPath: "/u" },
          { name: "s", mountPath: "/x/../y" },
          { name: "e", mountPath: "/e", subPath: "../a" },
          { name: "e", mountPath: "/f", subPathExpr: "$(A)" },
        ],
      ),
      sources,
    );
    expect(missing).toEqual(["Secret shop/nope does not exist", "volume u is mounted but not declared"]);
    expect(unsupported).toEqual([
      "volume s, mounted at /x/../y, which is no absolute path without dot segments,",
      "volume e with a subPath that leaves it",
    ]);
  });
});

describe("small parts", () => {
  test("a log on a full disk loses lines, and ends nobody", () => {
    const log = new LogFile("/dev/full");
    expect(() => log.write("line\n")).not.toThrow();
    log.close();
  });

  test("a log at its size becomes .1, whose predecessor is dropped", () => {
    const folder = mkdtempSync(join(tmpdir(), "kumiko-log-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const log = new LogFile(join(folder, "ns/pod.log"), 10);
    for (const line of ["first\n", "second\n", "third\n"]) log.write(line);
    log.close();
    log.write("after its end");
    expect(readFileSync(join(folder, "ns/pod.log"), "utf8")).toBe("third\n");
    expect(readFileSync(join(folder, "ns/pod.log.1"), "utf8")).toBe("second\n");
    expect(statSync(join(folder, "ns/pod.log")).mode & 0o777).toBe(0o600);
  });

  test("every word of a command line stays one word", () => {
    expect(commandLine(["a b", "it's", "$(x)", "plain-1.0", ""])).toBe(`'a b' 'it'\\''s' '$(x)' plain-1.0 ''`);
  });

  test("folders of system programs are searched last", () => {
    expect(systemPath("/home/me/bin:/usr/bin")).toBe("/home/me/bin:/usr/bin:/usr/local/sbin:/usr/sbin:/sbin:/bin");
  });

  test("local ports depend on the name alone, and no two names share one", () => {
    const [a, b] = [new PortAllocator(), new PortAllocator()];
    b.get("another");
    expect(a.get("x")).toBe(b.get("x"));
    expect(new Set(Array.from({ length: 5000 }, (_, i) => a.get(`n${i}`))).size).toBe(5000);
  });
});
