import { constants, generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createServer, type SecureContextOptions, type TLSSocket } from "node:tls";
import { type Server, ServerCredentials } from "@grpc/grpc-js";
import type { Authority } from "./authority.ts";

/** A TCP port on which a gRPC server answers over TLS with a certificate of the mesh's own authority. */
export interface TlsPort {
  readonly port: number;
  close(): Promise<void>;
}

/** What TLS 1.2 may use: forward secrecy and AEAD only (RFC 9325, section 4.2); TLS 1.3 has nothing else. */
const CIPHERS = [
  ...["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"],
  ...["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256"],
].join(":");
const HANDSHAKE_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 20_000;
/** The wall clock is looked at this often: a step of it may leave the port with a certificate that isn't valid. */
const LOOK_MS = 5_000;

/**
 * Opens a port for a gRPC server. A client certificate is asked for and, where one comes, must be of this mesh; a client without one gets
 * as far as the handlers, which then see no certificate: only an agent with a join token may come so. Handlers must therefore refuse a
 * caller without a certificate unless they check a token. The port's own certificate is renewed at half of its life.
 */
export async function listenTls(
  server: Server,
  address: { host: string; port: number },
  authority: Authority,
  { now, lookMs }: { readonly now: () => number; readonly lookMs: number } = { now: Date.now, lookMs: LOOK_MS },
): Promise<TlsPort> {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  let { secrets, isFresh } = await makeSecrets(authority, now());
  const tls = createServer({
    ...secrets,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: "TLSv1.2",
    ciphers: CIPHERS,
    honorCipherOrder: true,
    ALPNProtocols: ["h2"],
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    // A resumed session would not show the client's certificate chain again, nor be checked against new roots.
    secureOptions: constants.SSL_OP_NO_TICKET,
  });
  tls.maxConnections = MAX_CONNECTIONS;
  tls.on("secureConnection", (socket: TLSSocket) => {
    socket.on("error", () => socket.destroy());
    const hasCertificate = socket.getPeerX509Certificate() !== undefined;
    if (hasCertificate && !socket.authorized) socket.destroy();
    else injector.injectConnection(socket);
  });
  tls.on("tlsClientError", (_error, socket) => socket.destroy());
  const look = async (): Promise<void> => {
    if (isFresh(now())) return;
    try {
      ({ secrets, isFresh } = await makeSecrets(authority, now()));
      tls.setSecureContext(secrets);
    } catch {
      // The signer can't sign now; the next look asks it again.
    }
  };
  const timer = setInterval(() => void look(), lookMs).unref();
  tls.listen(address.port, address.host);
  await once(tls, "listening");
  const bound = tls.address();
  return {
    port: bound !== null && typeof bound === "object" ? bound.port : address.port,
    async close() {
      clearInterval(timer);
      injector.destroy();
      await new Promise<void>((resolve) => tls.close(() => resolve()));
    },
  };
}

interface Secrets {
  readonly secrets: SecureContextOptions;
  /** Valid, and not past half of its life. */
  readonly isFresh: (nowMs: number) => boolean;
}

async function makeSecrets(authority: Authority, madeAtMs: number): Promise<Secrets> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signed = await authority.signOwn(publicKey.export({ format: "der", type: "spki" }));
  const key = privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  return {
    secrets: { key, cert: signed.chainPem.join(""), ca: authority.rootsPem },
    isFresh: (nowMs) => nowMs >= signed.notBeforeMs && nowMs < (madeAtMs + signed.notAfterMs) / 2,
  };
}
