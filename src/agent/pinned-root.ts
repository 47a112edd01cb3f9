import { createHash, X509Certificate } from "node:crypto";
import { connect, type TLSSocket } from "node:tls";
import { DerError, readCertificate } from "../base/x509/index.ts";
import { MeshError } from "../model/error.ts";
import { controlPlaneIdentity, formatIdentity } from "../model/identity.ts";
import { Sealed } from "../model/sealed.ts";
import { verifyPem } from "./certificate-check.ts";

/** A join token: opaque, but for the SHA-256 of the root that its control plane must show. */
export interface JoinToken {
  readonly text: Sealed<string>;
  readonly rootSha256: string;
}

const SHAPE = /^kumiko-join\.[A-Za-z0-9_-]{12}\.[A-Za-z0-9_-]{43}\.([0-9a-f]{64})$/;
const CONNECT_TIMEOUT_MS = 10_000;
const MAX_CHAIN = 8;

/** @throws MeshError `usage` for a text that is no join token; the message does not repeat it. */
export function parseJoinToken(text: string): JoinToken {
  const rootSha256 = text.length > 200 ? undefined : SHAPE.exec(text)?.[1];
  if (rootSha256 === undefined) {
    throw new MeshError("usage", "that is no join token", {
      help: "make one on the control plane's machine: kumiko join-token create -n NAMESPACE --name WORKLOAD",
    });
  }
  return { text: new Sealed(text), rootSha256 };
}

/**
 * Asks a server for its certificates and returns the root (PEM) whose SHA-256 the token pins, if the server's certificate is the control
 * plane's and that root stands behind it. Nothing is sent before that is known. @throws MeshError `refused` for another server.
 */
export async function fetchPinnedRoot(address: string, rootSha256: string, trustDomain: string): Promise<string> {
  const chain = await fetchChain(address);
  const root = chain.find((certificate) => createHash("sha256").update(certificate.raw).digest("hex") === rootSha256);
  const help = "check the address, and that the token is of that control plane";
  if (root === undefined) throw new MeshError("refused", `${address} does not show the root that the join token names`, { help });
  const rootPem = root.toString();
  const verdict = verifyPem(chain.map(String).join(""), rootPem, Date.now());
  if (!verdict.ok) throw new MeshError("refused", `the certificate of ${address} can't be used: ${verdict.reason}`, { help });
  const fault = checkServer(verdict.leaf.bytes, trustDomain);
  if (fault !== undefined) throw new MeshError("refused", fault.message, { help });
  return rootPem;
}

/** An error where a certificate that TLS has verified is not the control plane's of that trust domain. */
export function checkServer(certificate: Uint8Array, trustDomain: string): Error | undefined {
  const wanted = formatIdentity(controlPlaneIdentity(trustDomain));
  try {
    const { uris } = readCertificate(certificate).names;
    return uris.length === 1 && uris[0] === wanted ? undefined : new Error(`the server is not the control plane of ${trustDomain}`);
  } catch (thrown) {
    if (thrown instanceof DerError) return new Error("the server's certificate can't be read");
    throw thrown;
  }
}

async function fetchChain(address: string): Promise<readonly X509Certificate[]> {
  const split = address.lastIndexOf(":");
  const host = address.slice(0, split).replace(/^\[|\]$/g, "");
  const socket = connect({
    host,
    port: Number(address.slice(split + 1)),
    rejectUnauthorized: false,
    ALPNProtocols: ["h2"],
    timeout: CONNECT_TIMEOUT_MS,
  });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("secureConnect", resolve);
      socket.once("error", reject);
      socket.once("timeout", () => reject(new Error("no answer")));
    });
    return chainOf(socket);
  } catch (thrown) {
    throw new MeshError("network", `can't reach the control plane at ${address}: ${MeshError.from(thrown).message}`, { cause: thrown });
  } finally {
    socket.destroy();
  }
}

function chainOf(socket: TLSSocket): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  const seen = new Set<unknown>();
  let next = socket.getPeerCertificate(true);
  while (next?.raw !== undefined && !seen.has(next.raw.toString("base64")) && chain.length < MAX_CHAIN) {
    seen.add(next.raw.toString("base64"));
    chain.push(new X509Certificate(next.raw));
    next = next.issuerCertificate;
  }
  return chain;
}
