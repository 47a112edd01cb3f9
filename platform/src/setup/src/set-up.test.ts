import { X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { readPasswords } from "./passwords.ts";
import { type Places, placesOf } from "./places.ts";
import { setUp } from "./set-up.ts";

const DAY_MS = 86_400_000;
let places: Places;
beforeEach(() => {
  places = placesOf({ PLATFORM_STATE: mkdtempSync(join(tmpdir(), "platform-setup-")) });
});
afterEach(() => rmSync(places.root, { recursive: true, force: true }));

const allFiles = () =>
  readdirSync(places.root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
const contents = () => Object.fromEntries(allFiles().map((file) => [file, readFileSync(file, "utf8")]));
const certificate = (name: string) => new X509Certificate(readFileSync(join(places.certificates, `${name}.pem`)));

describe("setUp", () => {
  test("a second run changes nothing", async () => {
    await setUp(places);
    const first = contents();
    await setUp(places);
    expect(contents()).toEqual(first);
  });

  test("what it makes is for its owner's eyes only", async () => {
    await setUp(places);
    expect(allFiles().filter((file) => (statSync(file).mode & 0o077) !== 0)).toEqual([]);
    expect(statSync(places.root).mode & 0o077).toBe(0);
  });

  test("certificates name their hosts, and come from the authority", async () => {
    await setUp(places);
    const authority = new X509Certificate(readFileSync(places.caCertificate));
    for (const [name, host] of [
      ["gateway", "user.example.com"],
      ["gateway", "chat.example.com"],
      ["database", "db.platform.internal"],
      ["identity-provider", "idp.platform.internal"],
      ["broker", "nats.platform.internal"],
      ["edge", "video.example.com"],
      ["edge", "user.localhost"],
      ["identity-provider", "idp.localhost"],
    ] as const) {
      expect(certificate(name).checkHost(host)).toBe(host);
      expect(certificate(name).verify(authority.publicKey)).toBe(true);
      expect(certificate(name).ca).toBe(false);
    }
  });

  test("a certificate is renewed in its last month, its authority and the passwords stay", async () => {
    await setUp(places);
    const before = {
      serial: certificate("gateway").serialNumber,
      authority: readFileSync(places.caCertificate, "utf8"),
      passwords: readPasswords(places),
    };
    await setUp(places, new Date(Date.now() + 70 * DAY_MS));
    expect(certificate("gateway").serialNumber).not.toBe(before.serial);
    expect(readFileSync(places.caCertificate, "utf8")).toBe(before.authority);
    expect(readPasswords(places)).toEqual(before.passwords);
  });

  test("the Secrets are those that the manifests name", async () => {
    await setUp(places);
    const secrets = parseAllDocuments(readFileSync(join(places.manifests, "secrets.yaml"), "utf8")).map((document) => document.toJS());
    expect(secrets.map(({ metadata, data }) => [metadata.namespace, metadata.name, Object.keys(data)])).toEqual([
      ["istio-ingress", "platform-gateway-tls", ["tls.crt", "tls.key"]],
      ["platform", "user-service-database", ["url", "ca.crt"]],
      ["platform", "video-service-database", ["url", "ca.crt"]],
      ["platform", "chat-service-database", ["url", "ca.crt"]],
      ["platform", "user-service-broker", ["url", "ca.crt"]],
      ["platform", "video-service-broker", ["url", "ca.crt"]],
      ["platform", "chat-service-broker", ["url", "ca.crt"]],
    ]);
    const url = new URL(Buffer.from(secrets[1].data.url, "base64").toString());
    expect(url).toMatchObject({
      host: "db.platform.internal:5432",
      username: "users_service",
      password: readPasswords(places)["users_service"],
      pathname: "/users",
    });
    const broker = new URL(Buffer.from(secrets[6].data.url, "base64").toString());
    expect(broker).toMatchObject({ protocol: "tls:", host: "nats.platform.internal:4222", username: "chat-service" });
    expect(broker.password).toBe(readPasswords(places)["broker_chat-service"]);
  });
});
