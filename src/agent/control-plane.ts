import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type ChannelCredentials, Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import {
  type IstioCertificateRequest,
  IstioCertificateRequestSchema,
  type IstioCertificateResponse,
  IstioCertificateResponseSchema,
} from "../gen/istio/security/v1/ca_pb.js";
import { MeshError } from "../model/error.ts";
import { formatIdentity, type Identity } from "../model/identity.ts";
import type { SignRequest, WorkloadCertificate } from "./keys.ts";
import { checkServer, fetchPinnedRoot, parseJoinToken } from "./pinned-root.ts";

/** Where the control plane is: its Unix socket on this machine, or a port that is reached over TLS. */
export type ControlPlaneAddress =
  | { readonly socket: string }
  | {
      /** `host:port`. */
      readonly address: string;
      /** For the first certificate; later ones are asked for with the certificate itself. */
      readonly joinToken?: string;
    };

/** How one workload's proxy speaks to the control plane; the relay and the keys use it. */
export interface ControlPlaneLink {
  /** A new gRPC client with the workload's present certificate; who asks for it closes it. @throws MeshError while there is none. */
  connect(): { readonly client: Client; readonly metadata: Metadata };
  readonly sign: SignRequest;
  /** The longest wait between two attempts to connect. */
  readonly longestWaitMs: number;
  /** PEM of the root that is known beforehand; undefined on the Unix socket. */
  rootsPem(): string | undefined;
}

export interface LinkSettings {
  readonly controlPlane: ControlPlaneAddress;
  readonly identity: Identity;
  readonly certificate: () => WorkloadCertificate | undefined;
  /** Wanted life of a certificate; the control plane may give less. */
  readonly ttlMs?: number;
}

/** A control plane that ended is back within 10 s: what it takes to start again, and this. */
const LOCAL_WAIT_MS = 1000;
/** Thousands may wait for a port: their connections are spread over so long. */
const REMOTE_WAIT_MS = 5000;
const SIGN_DEADLINE_MS = 10_000;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const PATH = "/istio.v1.auth.IstioCertificateService/CreateCertificate";
const CHANNEL_OPTIONS = {
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 5000,
  "grpc.max_receive_message_length": MAX_ANSWER_BYTES,
  // Each workload has a connection of its own: over TLS it carries that workload's certificate.
  "grpc.use_local_subchannel_pool": 1,
} as const;

/** The way of one workload's proxy to the control plane. */
export function createLink(settings: LinkSettings): ControlPlaneLink {
  return "socket" in settings.controlPlane
    ? createLocalLink(settings, settings.controlPlane.socket)
    : createRemoteLink(settings, settings.controlPlane);
}

function createLocalLink(settings: LinkSettings, socket: string): ControlPlaneLink {
  const connect = () => {
    const metadata = new Metadata();
    metadata.set("kumiko-identity", formatIdentity(settings.identity));
    return { client: new Client(`unix:${socket}`, credentials.createInsecure(), CHANNEL_OPTIONS), metadata };
  };
  return {
    connect,
    longestWaitMs: LOCAL_WAIT_MS,
    rootsPem: () => undefined,
    sign: (csr) => signOver(connect(), csr, settings.ttlMs),
  };
}

function createRemoteLink(settings: LinkSettings, { address, joinToken }: { address: string; joinToken?: string }): ControlPlaneLink {
  const token = joinToken === undefined ? undefined : parseJoinToken(joinToken);
  let pinnedPem: string | undefined;
  const open = (own: WorkloadCertificate | undefined, rootsPem: string) => {
    return new Client(address, makeTls(own, rootsPem, settings.identity.trustDomain), {
      ...CHANNEL_OPTIONS,
      "grpc.ssl_target_name_override": "kumiko",
    });
  };
  const rootsPem = () => pinnedPem ?? settings.certificate()?.rootsPem;
  return {
    connect() {
      const own = settings.certificate();
      if (own === undefined) throw new MeshError("refused", "there is no certificate to show to the control plane yet");
      return { client: open(own, own.rootsPem), metadata: new Metadata() };
    },
    longestWaitMs: REMOTE_WAIT_MS,
    rootsPem,
    async sign(csr) {
      const own = settings.certificate();
      if (own !== undefined) return await signOver({ client: open(own, own.rootsPem), metadata: new Metadata() }, csr, settings.ttlMs);
      if (token === undefined) {
        throw new MeshError("refused", "there is neither a valid certificate nor a join token", {
          help: "kumiko join-token create -n NAMESPACE --name WORKLOAD",
        });
      }
      pinnedPem = await fetchPinnedRoot(address, token.rootSha256, settings.identity.trustDomain);
      const metadata = new Metadata();
      metadata.set("authorization", `Bearer ${token.text.unseal()}`);
      return await signOver({ client: open(undefined, pinnedPem), metadata }, csr, settings.ttlMs);
    },
  };
}

function makeTls(own: WorkloadCertificate | undefined, rootsPem: string, trustDomain: string): ChannelCredentials {
  const key = own?.key.unseal().export({ format: "pem", type: "pkcs8" });
  return credentials.createSsl(
    Buffer.from(rootsPem),
    key === undefined ? null : Buffer.from(key),
    own === undefined ? null : Buffer.from(own.chainPem),
    { checkServerIdentity: (_host, certificate) => checkServer(certificate.raw, trustDomain) },
  );
}

async function signOver(link: { client: Client; metadata: Metadata }, csr: string, ttlMs = 0): Promise<readonly string[]> {
  const request = create(IstioCertificateRequestSchema, { csr, validityDuration: BigInt(Math.ceil(ttlMs / 1000)) });
  try {
    const response = await new Promise<IstioCertificateResponse>((resolve, reject) => {
      link.client.makeUnaryRequest(
        PATH,
        (value: IstioCertificateRequest) => Buffer.from(toBinary(IstioCertificateRequestSchema, value)),
        (bytes: Buffer) => fromBinary(IstioCertificateResponseSchema, bytes),
        request,
        link.metadata,
        { deadline: Date.now() + SIGN_DEADLINE_MS },
        (error: ServiceError | null, value?: IstioCertificateResponse) => {
          if (error !== null || value === undefined) reject(new MeshError("network", `the control plane signs nothing: ${error?.details}`));
          else resolve(value);
        },
      );
    });
    return response.certChain;
  } finally {
    link.client.close();
  }
}
