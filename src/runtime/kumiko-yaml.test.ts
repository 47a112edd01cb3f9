import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { formatPosition } from "../model/position.ts";
import { NO_SETTINGS, readKumikoYaml } from "./kumiko-yaml.ts";

const read = (text: string, variables: Readonly<Record<string, string>> = {}) => {
  const { settings, diagnostics } = readKumikoYaml(text, "kumiko.yaml", variables);
  return {
    settings,
    said: diagnostics.map(({ code, message, position }) => `${position ? formatPosition(position) : ""} ${code} ${message}`),
  };
};

describe("readKumikoYaml", () => {
  test("reads every section", () => {
    const { settings, said } = read(
      `
images:
  shop/users: { command: [node, src/main.ts], args: [--verbose, 3], workingDir: users, env: { LEVEL: debug, PORT: 8080 }, portEnv: PORT, mounts: ["\${DATA}/sets", conf] }
outside:
  postgres: { command: [postgres, -D, data], ready: "tcp:127.0.0.1:5432", readyTimeoutSeconds: 30 }
hosts:
  db.example.com: 127.0.0.1:5432
publish:
  - { gateway: istio-system/gateway, port: 8443 }
  - { gateway: istio-system/gateway, port: 80, on: 127.0.0.1:8080 }
`,
      { DATA: "/data" },
    );
    expect(said).toEqual([]);
    expect(settings.images["shop/users"]).toEqual({
      command: ["node", "src/main.ts"],
      args: ["--verbose", "3"],
      workingDir: "users",
      env: { LEVEL: "debug", PORT: "8080" },
      portEnv: "PORT",
      mounts: ["/data/sets", "conf"],
    });
    expect(settings.outside["postgres"]).toMatchObject({ ready: "tcp:127.0.0.1:5432", readyTimeoutMs: 30_000, workingDir: "." });
    expect(settings.hosts).toEqual({ "db.example.com": "127.0.0.1:5432" });
    expect(settings.publish).toEqual([
      { namespace: "istio-system", deployment: "gateway", port: 8443, hostAddress: "127.0.0.1", hostPort: 8443 },
      { namespace: "istio-system", deployment: "gateway", port: 80, hostAddress: "127.0.0.1", hostPort: 8080 },
    ]);
  });

  test("reads where resources are, with the namespace of what names none and a chart's values", () => {
    const { settings, said } = read(
      'resources: [a, {path: "${AT}/b"}, {path: c, namespace: shop}, {path: d, values: "${AT}/v.yaml", namespace: s}, {path: e, values: 1}]',
      { AT: "/x" },
    );
    expect(settings.resources).toEqual(["a", "/x/b", { path: "c", namespace: "shop" }, { path: "d", namespace: "s", values: "/x/v.yaml" }]);
    expect(said).toEqual(["kumiko.yaml:1 KMK1001 resources[4].values: a file of a chart's values is needed"]);
  });

  test("reads what an image's programs are here", () => {
    const { settings, said } = read("images:\n  a:\n    programs: { /app/server: [node, a.js], /app/other: [] }");
    expect(settings.images["a"]?.programs).toEqual({ "/app/server": ["node", "a.js"] });
    expect(said).toEqual(["kumiko.yaml:3 KMK1001 images.a.programs./app/other: a command is needed"]);
  });

  test.each([
    { title: "an unknown section, with the nearest known one", text: "imagse: {}", said: "kumiko.yaml:1 KMK1002 imagse is not known" },
    { title: "an unknown field", text: "images:\n  a:\n    comand: [x]", said: "kumiko.yaml:3 KMK1002 images.a.comand is not known" },
    {
      title: "a command that is no list",
      text: "images:\n  a:\n    command: node x",
      said: "kumiko.yaml:3 KMK1001 images.a.command: a list is needed",
    },
    {
      title: "ports that no variable stands for",
      text: "images:\n  a:\n    command: [x]\n    portEnv: { http: 1 }",
      said: "kumiko.yaml:4 KMK1001 images.a.portEnv.http: a string is needed",
    },
    {
      title: "a list of variables",
      text: "images:\n  a:\n    command: [x]\n    portEnv: [PORT]",
      said: "kumiko.yaml:4 KMK1001 images.a.portEnv: a variable is needed, or a map of ports to variables",
    },
    {
      title: "a list of maps",
      text: "images:\n  a:\n    command: [{}]",
      said: "kumiko.yaml:3 KMK1001 images.a.command: a list of strings is needed",
    },
    {
      title: "a program without a command",
      text: "outside:\n  db: {}",
      said: "kumiko.yaml:2 KMK1001 outside.db.command: a command is needed",
    },
    {
      title: "a readiness that is none",
      text: "outside:\n  db:\n    command: [x]\n    ready: maybe",
      said: "kumiko.yaml:4 KMK1001 outside.db.ready: ready is `tcp:HOST:PORT` or an http(s) URL",
    },
    {
      title: "a patience that is none",
      text: "outside:\n  db:\n    command: [x]\n    readyTimeoutSeconds: -1",
      said: "kumiko.yaml:4 KMK1001 outside.db.readyTimeoutSeconds: a number of seconds up to 3600 is needed",
    },
    { title: "a host that is a URL", text: "hosts:\n  a: http://b", said: "kumiko.yaml:2 KMK1001 hosts.a: a host or HOST:PORT is needed" },
    { title: "a port that is none", text: "hosts:\n  a: b:99999", said: "kumiko.yaml:2 KMK1001 hosts.a: a host or HOST:PORT is needed" },
    {
      title: "a gateway without a namespace",
      text: "publish:\n  - gateway: x\n    port: 1",
      said: "kumiko.yaml:2 KMK1001 publish[0].gateway: gateway is NAMESPACE/DEPLOYMENT",
    },
    {
      title: "a port out of range",
      text: "publish:\n  - gateway: a/b\n    port: 70000",
      said: "kumiko.yaml:3 KMK1001 publish[0].port: a port from 1 to 65535 is needed",
    },
    { title: "a list where a map belongs", text: "- a", said: "kumiko.yaml:1 KMK1001 kumiko.yaml: a map is needed" },
    {
      title: "the same key twice",
      text: "hosts: {}\nhosts: {}",
      said: "kumiko.yaml:2 KMK0002 Map keys must be unique at line 2, column 1:",
    },
    { title: "broken YAML", text: "images: [", said: "kumiko.yaml:1 KMK0002" },
    { title: "an alias", text: "images: &a {}\noutside: *a", said: "kumiko.yaml:1 KMK0003 aliases are not allowed here" },
    { title: "too much", text: "#".repeat(300_000), said: "kumiko.yaml:1 KMK0003 kumiko.yaml is larger than 256 KiB" },
  ])("names $title with file and line", ({ text, said }) => {
    const found = read(text).said;
    expect(found[0]?.startsWith(said), found.join("\n")).toBe(true);
  });

  test("each port of an image may have a variable of its own", () => {
    const { settings, said } = read("images:\n  a: { command: [x], portEnv: { http: PORT, 9090: GRPC_PORT } }");
    expect(said).toEqual([]);
    expect(settings.images["a"]?.portEnv).toEqual({ 9090: "GRPC_PORT", http: "PORT" });
  });

  test("what is wrong is left out, the rest counts", () => {
    const { settings } = read("hosts:\n  a: http://b\n  c: d\nimages: 3");
    expect(settings).toEqual({ ...NO_SETTINGS, hosts: { c: "d" } });
  });

  test("a variable of the caller wins over the file's, wherever an address is written", () => {
    const text = `
env: { DB_PORT: 15432, GATEWAY_PORT: "8443", FOLDER: "\${STATE}/db" }
outside:
  db: { command: [sh, -c, "exec db \${DB_PORT}"], env: { PORT: "\${DB_PORT}" }, ready: "tcp:127.0.0.1:\${DB_PORT}" }
hosts: { "db.internal:5432": "127.0.0.1:\${DB_PORT}" }
publish: [{ gateway: a/b, port: 443, on: "127.0.0.1:\${GATEWAY_PORT}" }]
try: ["curl localhost:\${GATEWAY_PORT} \${MISSING:-none}"]
`;
    const { settings, said } = read(text, { STATE: "/state", DB_PORT: "1" });
    expect(said).toEqual([]);
    expect(settings).toMatchObject({
      env: { DB_PORT: "1", GATEWAY_PORT: "8443", FOLDER: "/state/db" },
      outside: { db: { command: ["sh", "-c", "exec db ${DB_PORT}"], env: { PORT: "1" }, ready: "tcp:127.0.0.1:1" } },
      hosts: { "db.internal:5432": "127.0.0.1:1" },
      publish: [{ hostAddress: "127.0.0.1", hostPort: 8443 }],
      try: ["curl localhost:8443 none"],
    });
  });

  test("an address that a variable makes wrong is named", () => {
    expect(read('hosts:\n  a: "b:${PORT}"').said).toEqual(["kumiko.yaml:2 KMK1001 hosts.a: a host or HOST:PORT is needed"]);
  });

  test("__proto__ as a name changes no object", () => {
    const { settings } = read("hosts:\n  __proto__: evil\nimages:\n  __proto__: { command: [x] }");
    expect(Object.keys(settings.hosts)).toEqual([]);
    expect(({} as Record<string, unknown>)["command"]).toBeUndefined();
  });

  test.each(["", "# nothing", "null", "images:\noutside:\nhosts:\npublish:"])("%j is no settings and no error", (text) => {
    expect(read(text)).toEqual({ settings: NO_SETTINGS, said: [] });
  });
});

describe("docs/kumiko-yaml.md", () => {
  const [, example = ""] = /```yaml\n([\s\S]*?)```/.exec(readFileSync(new URL("../../docs/kumiko-yaml.md", import.meta.url), "utf8")) ?? [];

  test("is read as it says, without a complaint", () => {
    const { settings, said } = read(example);
    expect(said).toEqual([]);
    expect(settings.images["ghcr.io/acme/users"]?.programs).toEqual({ "/app/server": ["node", "server.mjs"] });
    expect(settings.hosts["db.example.com:5432"]).toBe("127.0.0.1:15432");
  });

  test("names every key", () => {
    const asked = `nothingLikeIt: 1\nimages: { a: { nothingLikeIt: 1 } }\noutside: { a: { command: [x], nothingLikeIt: 1 } }\npublish: [{ gateway: a/b, port: 1, nothingLikeIt: 1 }]`;
    const { diagnostics } = readKumikoYaml(asked, "kumiko.yaml", {});
    const known = diagnostics.flatMap(({ help = "" }) => /known are (.*)/.exec(help)?.[1]?.split(", ") ?? []);
    expect(known.length).toBeGreaterThan(20);
    for (const key of known) expect(example, key).toMatch(new RegExp(`\\b${key}:`));
  });
});
