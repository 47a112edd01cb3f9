import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type sendUnaryData, type Server, type ServerUnaryCall, type ServiceDefinition, status } from "@grpc/grpc-js";
import {
  type IstioCertificateRequest,
  IstioCertificateRequestSchema,
  type IstioCertificateResponse,
  IstioCertificateResponseSchema,
} from "../gen/istio/security/v1/ca_pb.js";
import { MeshError } from "../model/error.ts";
import { formatIdentity } from "../model/identity.ts";
import { type Authenticate, callerOf } from "./authenticate.ts";
import type { Authority } from "./authority.ts";
import { readRequestedKey } from "./request.ts";

/** What happened to one request; for counters and logs. `reason` may be logged, and is never sent to the caller. */
export type CaEvent =
  | { readonly kind: "signed"; readonly identity: string; readonly notAfterMs: number }
  | { readonly kind: "unauthenticated"; readonly address: string }
  | { readonly kind: "refused" | "failed"; readonly identity: string; readonly reason: string };

export interface CaService {
  readonly authority: Authority;
  readonly authenticate: Authenticate;
  readonly observe?: (event: CaEvent) => void;
}

type Call = ServerUnaryCall<IstioCertificateRequest, IstioCertificateResponse>;

/** `istio.v1.auth.IstioCertificateService`, as Istio's agents and ztunnel call it. */
const SERVICE: ServiceDefinition = {
  createCertificate: {
    path: "/istio.v1.auth.IstioCertificateService/CreateCertificate",
    requestStream: false,
    responseStream: false,
    requestSerialize: (value: IstioCertificateRequest) => Buffer.from(toBinary(IstioCertificateRequestSchema, value)),
    requestDeserialize: (bytes: Buffer) => fromBinary(IstioCertificateRequestSchema, bytes),
    responseSerialize: (value: IstioCertificateResponse) => Buffer.from(toBinary(IstioCertificateResponseSchema, value)),
    responseDeserialize: (bytes: Buffer) => fromBinary(IstioCertificateResponseSchema, bytes),
  },
};

/**
 * Adds the CA to a gRPC server. The identity comes from `authenticate` alone; of the request only the key and the wanted life are used, and
 * the life is clamped. Errors say nothing: a caller learns only UNAUTHENTICATED, RESOURCE_EXHAUSTED, INVALID_ARGUMENT
 * or INTERNAL.
 */
export function registerCa(server: Server, service: CaService): void {
  server.addService(SERVICE, {
    createCertificate(call: Call, callback: sendUnaryData<IstioCertificateResponse>) {
      answer(call, service).then(
        (response) => callback(null, response),
        (thrown: unknown) => callback(thrown instanceof Refusal ? thrown.status : { code: status.INTERNAL, details: "internal error" }),
      );
    },
  });
}

class Refusal extends Error {
  readonly status: { readonly code: status; readonly details: string };

  constructor(code: status, details: string) {
    super(details);
    this.status = { code, details };
  }
}

async function answer(call: Call, service: CaService): Promise<IstioCertificateResponse> {
  const observe = service.observe ?? (() => {});
  const caller = callerOf(call);
  const unauthenticated = (code: status, details: string) => {
    observe({ kind: "unauthenticated", address: caller.address });
    return new Refusal(code, details);
  };
  const grant = await service.authenticate(caller);
  if (grant === "too-many-wrong") throw unauthenticated(status.RESOURCE_EXHAUSTED, "too many wrong tokens");
  if (grant === "unknown") throw unauthenticated(status.UNAUTHENTICATED, "request not authenticated");
  const { identity, claim } = grant;
  const { csr, validityDuration } = call.request;
  try {
    const publicKey = readRequestedKey(csr);
    if (claim !== undefined && !(await claim(publicKey))) throw unauthenticated(status.UNAUTHENTICATED, "request not authenticated");
    const signed = await service.authority.sign({ publicKey, identity, ttlMs: Number(validityDuration) * 1000 });
    observe({ kind: "signed", identity: formatIdentity(identity), notAfterMs: signed.notAfterMs });
    return create(IstioCertificateResponseSchema, { certChain: [...signed.chainPem] });
  } catch (thrown) {
    if (thrown instanceof Refusal) throw thrown;
    const isRefused = thrown instanceof MeshError && thrown.code === "refused";
    observe({ kind: isRefused ? "refused" : "failed", identity: formatIdentity(identity), reason: MeshError.from(thrown).message });
    throw isRefused ? new Refusal(status.INVALID_ARGUMENT, "certificate request refused") : new Refusal(status.INTERNAL, "internal error");
  }
}
