import { describe, expect, test } from "vitest";
import { checkDocument } from "../check-document.ts";

const check = (spec: object) =>
  checkDocument({
    value: { apiVersion: "networking.istio.io/v1", kind: "DestinationRule", metadata: { name: "a" }, spec },
    locate: () => ({ file: "a.yaml", line: 1, column: 1 }),
  });
const ruleWith = (tls: object, host = "a.example") => check({ host, trafficPolicy: { tls: { mode: "SIMPLE", ...tls } } });
const ofSubset = (tls: object) =>
  check({ host: "a.example", subsets: [{ name: "v1", trafficPolicy: { portLevelSettings: [{ port: { number: 443 }, tls }] } }] });

const names = { subjectAltNames: ["a.example"] };
const authorities = { caCertificates: "/ca.pem" };
const secret = { credentialName: "c" };
const unchecked = { insecureSkipVerify: true };

test.each([
  ["without a check", ruleWith({ ...unchecked, subjectAltNames: [], caCertificates: "" })],
  ["with a name alone", ruleWith({ ...names, insecureSkipVerify: false })],
  ["without a check, with a certificate of its own", ruleWith({ ...unchecked, ...secret, mode: "MUTUAL" })],
  ["of the mesh, which reads none of these fields", ruleWith({ ...unchecked, ...names, mode: "ISTIO_MUTUAL" })],
])("TLS %s is taken", (_, { resource }) => {
  expect(resource).toBeDefined();
});

test.each([
  ["no check beside names", ruleWith({ ...unchecked, ...names }), "subjectAltNames would"],
  ["no check beside authorities", ruleWith({ ...unchecked, ...authorities }), "caCertificates would"],
  ["no check beside a Secret", ruleWith({ ...unchecked, ...secret }), "credentialName would"],
  ["no check beside names, for a port of a subset", ofSubset({ mode: "SIMPLE", ...unchecked, ...names }), "subjectAltNames would"],
  ["no check, own certificate, authorities", ruleWith({ mode: "MUTUAL", ...secret, ...unchecked, ...authorities }), "caCertificates would"],
  ["a Secret beside files", ruleWith({ ...secret, ...authorities }), "takes the place of caCertificates"],
  ["no certificate of its own for MUTUAL", ruleWith({ mode: "MUTUAL" }), "needs a client certificate"],
])("TLS that contradicts itself is refused: %s", (_, { resource, diagnostics }, message) => {
  expect(resource).toBeUndefined();
  expect(diagnostics.map(({ code, message: said }) => `${code} ${said}`).join("\n")).toMatch(new RegExp(`KMK1001 .*${message}`));
});

describe("a rule whose TLS contradicts itself goes on asking for TLS, in the sense that checks more", () => {
  test.each([
    [{ ...unchecked, ...names }, names],
    [{ ...unchecked, ...secret, ...authorities }, secret],
    [{ mode: "MUTUAL" }, { mode: "MUTUAL" }],
  ])("%j as %j", (tls, stricter) => {
    expect(ruleWith(tls).fallback?.body).toEqual({ spec: { host: "a.example", trafficPolicy: { tls: { mode: "SIMPLE", ...stricter } } } });
  });

  test("for a port of a subset, too", () => {
    expect(ofSubset({ mode: "SIMPLE", ...unchecked, ...names }).fallback?.body).toMatchObject({
      spec: { subsets: [{ trafficPolicy: { portLevelSettings: [{ tls: { mode: "SIMPLE", ...names } }] } }] },
    });
  });

  test.each([
    ["a field of another type", ruleWith({ insecureSkipVerify: "yes", subjectAltNames: 5 })],
    ["a fault elsewhere", ruleWith({ ...unchecked, ...names }, "a b")],
  ])("and is not used with %s", (_, { resource, fallback }) => {
    expect([resource, fallback]).toEqual([undefined, undefined]);
  });
});
