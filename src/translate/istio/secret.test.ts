import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { meshOf } from "../../testing/mesh.ts";
import { toEnvoySecret } from "../envoy/secret.ts";
import { decodeBase64Text } from "./secret-base64.ts";
import { findTlsSecret, secretName } from "./secret.ts";

const CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const KEY = "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n";
const base64 = (text: string) => Buffer.from(text).toString("base64");
const secret = (name: string, content: object, namespace = "edge") =>
  JSON.stringify({ apiVersion: "v1", kind: "Secret", metadata: { name, namespace }, ...content });
const find = (yaml: string, name: string, namespace = "edge") => findTlsSecret(secretName("edge", name), namespace, meshOf(yaml).find);

describe("findTlsSecret", () => {
  test.each([
    { title: "a TLS Secret", content: { data: { "tls.crt": base64(CERTIFICATE), "tls.key": base64(KEY) } } },
    { title: "a generic Secret", content: { data: { cert: base64(CERTIFICATE), key: base64(KEY) } } },
    { title: "a Secret in plain text", content: { stringData: { "tls.crt": CERTIFICATE, "tls.key": KEY } } },
  ])("$title is read", ({ content }) => {
    const found = find(secret("cert", content), "cert");
    expect(found?.certificate?.chainPem).toBe(CERTIFICATE);
    expect(found?.certificate?.key.unseal()).toBe(KEY);
  });

  test.each([
    { title: "another namespace's", yaml: secret("cert", { stringData: { "tls.crt": CERTIFICATE, "tls.key": KEY } }), namespace: "shop" },
    { title: "one without a key", yaml: secret("cert", { stringData: { "tls.crt": CERTIFICATE } }), namespace: "edge" },
    {
      title: "one whose key is no PEM",
      yaml: secret("cert", { stringData: { "tls.crt": CERTIFICATE, "tls.key": "x" } }),
      namespace: "edge",
    },
    {
      title: "one that is not there",
      yaml: secret("other", { stringData: { "tls.crt": CERTIFICATE, "tls.key": KEY } }),
      namespace: "edge",
    },
  ])("$title is not given", ({ yaml, namespace }) => {
    expect(find(yaml, "cert", namespace)).toBeUndefined();
  });

  test("the authority of clients stands in a Secret of its own or beside the certificate", () => {
    expect(find(secret("cert-cacert", { stringData: { cacert: CERTIFICATE } }), "cert-cacert")?.trustPem).toBe(CERTIFICATE);
    expect(
      find(secret("cert", { stringData: { "tls.crt": CERTIFICATE, "tls.key": KEY, "ca.crt": CERTIFICATE } }), "cert-cacert")?.trustPem,
    ).toBe(CERTIFICATE);
  });
});

describe("toEnvoySecret", () => {
  test("the key is in the bytes that the gateway gets and nowhere else", () => {
    const found = find(secret("cert", { stringData: { "tls.crt": CERTIFICATE, "tls.key": KEY } }), "cert");
    if (found === undefined) throw new Error("not found");
    const { bytes, ...rest } = toEnvoySecret(found);
    expect(Buffer.from(bytes).toString()).toContain("canary");
    expect(inspect(rest, { depth: 20 })).not.toContain("canary");
    expect(inspect(found, { depth: 20 }) + JSON.stringify(found)).not.toContain("canary");
  });
});

describe("decodeBase64Text", () => {
  test.each(["", "a", "ab", "abc", "abcd\n", KEY])("%j", (text) => expect(decodeBase64Text(base64(text))).toBe(text));
  test("bytes that are no text, and what is no Base64, are nothing", () => {
    expect(decodeBase64Text(Buffer.from([0xff, 0xfe]).toString("base64"))).toBeUndefined();
    expect(decodeBase64Text("a-b_")).toBeUndefined();
  });
});
