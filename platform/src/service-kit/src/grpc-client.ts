import { Client, credentials, Metadata, type ServiceDefinition, type ServiceError } from "@grpc/grpc-js";
import { fromGrpcStatus } from "./grpc-status.ts";
import { withClientSpan } from "./tracing.ts";

export interface GrpcCall {
  /** A method of the service's definition. */
  readonly method: string;
  readonly request: object;
  /** Sent as metadata: the token and the trace headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** From now on; the deadline goes with the call. */
  readonly timeoutMs: number;
}

/** Calls to one service over gRPC. TLS, retries and the circuit breaker are the mesh's: this side speaks plaintext to its proxy. */
export interface GrpcClient {
  /** @throws Problem with the other's meaning where the caller can do something about it, 504 when it took too long, else 502. */
  call(call: GrpcCall): Promise<unknown>;
  close(): void;
}

export function createGrpcClient(address: string, service: ServiceDefinition): GrpcClient {
  const client = new Client(address, credentials.createInsecure(), {
    // A service that comes back is found again at once, not after minutes.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 2_000,
    "grpc.max_receive_message_length": 1024 * 1024,
    "grpc.enable_retries": 0,
  });
  return {
    call: (call) =>
      withClientSpan(methodOf(service, call.method).path, call.headers, (headers) => send(client, service, { ...call, headers })),
    close: () => client.close(),
  };
}

function send(client: Client, service: ServiceDefinition, call: GrpcCall): Promise<unknown> {
  const { path, requestSerialize, responseDeserialize } = methodOf(service, call.method);
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(call.headers)) metadata.set(name, value);
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const answer = (error: ServiceError | null, response?: unknown) =>
    error === null ? resolve(response) : reject(fromGrpcStatus(error.code, error.details, error));
  client.makeUnaryRequest(
    path,
    requestSerialize,
    responseDeserialize,
    call.request,
    metadata,
    { deadline: Date.now() + call.timeoutMs },
    answer,
  );
  return promise;
}

function methodOf(service: ServiceDefinition, name: string): ServiceDefinition[string] {
  const method = service[name];
  if (method === undefined) throw new Error(`no gRPC method "${name}"`);
  return method;
}
