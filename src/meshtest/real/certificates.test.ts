import { createPrivateKey, X509Certificate } from "node:crypto";
import { describe, expect, test } from "vitest";
import { TestAuthority } from "./certificates.ts";

const NOW = Date.UTC(2026, 10, 21);
const authority = new TestAuthority("test clients", NOW);
const root = new X509Certificate(authority.rootPem);

describe("a test authority", () => {
  test("is a root that signed itself", () => {
    expect(root.ca).toBe(true);
    expect(root.subject).toBe("CN=test clients");
    expect(root.verify(root.publicKey)).toBe(true);
  });

  test("issues certificates of hosts, addresses and identities, with their key", () => {
    const { chainPem, keyPem } = authority.issue({
      hosts: ["a.example.com", "*.b.example.com", "192.0.2.7"],
      uri: "spiffe://td/ns/a/sa/b",
    });
    const leaf = new X509Certificate(chainPem);
    expect(leaf.ca).toBe(false);
    expect(leaf.verify(root.publicKey)).toBe(true);
    expect(leaf.checkIssued(root)).toBe(true);
    expect(leaf.checkPrivateKey(createPrivateKey(keyPem))).toBe(true);
    expect(leaf.checkHost("a.example.com")).toBe("a.example.com");
    expect(leaf.checkHost("x.b.example.com")).toBe("*.b.example.com");
    expect(leaf.checkIP("192.0.2.7")).toBe("192.0.2.7");
    expect(leaf.subjectAltName).toContain("URI:spiffe://td/ns/a/sa/b");
    expect(leaf.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
    expect(leaf.validFromDate.getTime()).toBeLessThan(NOW);
    expect(leaf.validToDate.getTime()).toBeGreaterThan(NOW);
  });

  test("issues one whose time has ended", () => {
    const leaf = new X509Certificate(authority.issue({ uri: "spiffe://td/ns/a/sa/b" }, { expired: true }).chainPem);
    expect(leaf.validToDate.getTime()).toBeLessThan(NOW);
    expect(leaf.verify(root.publicKey)).toBe(true);
  });

  test("is not trusted for what another one signed", () => {
    const other = new TestAuthority("test clients", NOW);
    expect(new X509Certificate(other.issue({ hosts: ["a"] }).chainPem).verify(root.publicKey)).toBe(false);
  });

  test("gives the same certificate for the same names", () => {
    expect(authority.issue({ hosts: ["same"] })).toBe(authority.issue({ hosts: ["same"] }));
    expect(authority.issue({ hosts: ["same"] })).not.toBe(authority.issue({ hosts: ["other"] }));
  });
});
