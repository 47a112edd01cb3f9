import { spawn } from "node:child_process";
import { request as httpRequest } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import type { ProbeSpec } from "./probe.ts";
import type { Container } from "./pod.ts";
import type { Sandbox } from "./sandbox.ts";

export interface ProbeTarget {
  readonly sandbox: Sandbox;
  readonly container: Container;
  readonly workingDir: string;
  readonly env: Readonly<Record<string, string>>;
  /** Port on which this replica listens for a declared one; differs only in mode `ports`. */
  readonly portOf: (declared: number) => number;
}

type HttpGet = NonNullable<ProbeSpec["httpGet"]>;

/** Asks once; false when the answer is bad, late or missing. Never throws. */
export async function runProbe(
  spec: Pick<ProbeSpec, "exec" | "httpGet" | "tcpSocket" | "grpc">,
  target: ProbeTarget,
  timeoutMs: number,
): Promise<boolean> {
  if (spec.exec !== undefined) return runExec(spec.exec.command ?? [], target, timeoutMs);
  if (spec.httpGet !== undefined) return runHttpGet(spec.httpGet, target, timeoutMs);
  if (spec.tcpSocket !== undefined) return runTcp(resolvePort(spec.tcpSocket.port, target), target, timeoutMs);
  if (spec.grpc !== undefined) return runGrpc(target.portOf(spec.grpc.port), spec.grpc.service ?? "", target, timeoutMs);
  return true;
}

/** A probe's or hook's port: a number, or the name of one of the container's ports. */
export function resolvePort(port: number | string, target: Pick<ProbeTarget, "container" | "portOf">): number {
  const declared =
    typeof port === "number" ? port : (target.container.ports?.find(({ name }) => name === port)?.containerPort ?? Number(port));
  return target.portOf(declared);
}

function runExec(command: readonly string[], target: ProbeTarget, timeoutMs: number): Promise<boolean> {
  const [program = "", ...args] = target.sandbox.launch(command, target.workingDir);
  return new Promise((resolve) => {
    const child = spawn(program, args, { env: target.env, stdio: "ignore", cwd: "/", timeout: timeoutMs, killSignal: "SIGKILL" });
    child.once("error", () => resolve(false));
    child.once("exit", (code) => resolve(code === 0));
  });
}

function runHttpGet(get: HttpGet, target: ProbeTarget, timeoutMs: number): Promise<boolean> {
  const { sandbox } = target;
  const request = get.scheme === "HTTPS" ? httpsRequest : httpRequest;
  return new Promise((resolve) => {
    const asked = request({
      host: get.host ?? sandbox.address,
      port: resolvePort(get.port, target),
      path: get.path ?? "/",
      headers: { "user-agent": "kube-probe/1.34", ...Object.fromEntries((get.httpHeaders ?? []).map(({ name, value }) => [name, value])) },
      agent: false,
      rejectUnauthorized: false, // As a kubelet does: a probe asks whether somebody answers, not who.
      signal: AbortSignal.timeout(timeoutMs),
      ...(sandbox.probeSource !== undefined && { localAddress: sandbox.probeSource }),
    });
    asked.once("error", () => resolve(false));
    asked.once("response", (response) => {
      resolve((response.statusCode ?? 0) >= 200 && (response.statusCode ?? 0) < 400);
      response.destroy();
    });
    asked.end();
  });
}

function runTcp(port: number, { sandbox }: ProbeTarget, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({
      host: sandbox.address,
      port,
      ...(sandbox.probeSource !== undefined && { localAddress: sandbox.probeSource }),
    });
    const answer = (isOpen: boolean) => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.setTimeout(timeoutMs, () => answer(false));
    socket.once("connect", () => answer(true));
    socket.once("error", () => answer(false));
  });
}

const SERVING = 1;

/** gRPC's health protocol: `grpc.health.v1.Health/Check`, one field each way, so that no generated code is needed. */
function runGrpc(port: number, service: string, { sandbox }: ProbeTarget, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const session = connectHttp2(`http://${sandbox.address}:${port}`, {
      createConnection: () =>
        connect({ host: sandbox.address, port, ...(sandbox.probeSource !== undefined && { localAddress: sandbox.probeSource }) }),
    });
    const answer = (isServing: boolean) => {
      clearTimeout(timer);
      session.destroy();
      resolve(isServing);
    };
    const timer = setTimeout(() => answer(false), timeoutMs);
    session.once("error", () => answer(false));
    const stream = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      te: "trailers",
    });
    const chunks: Buffer[] = [];
    stream.once("error", () => answer(false));
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.once("end", () => {
      const body = Buffer.concat(chunks);
      answer(body.length >= 7 && body[5] === 0x08 && body[6] === SERVING);
    });
    const name = Buffer.from(service, "utf8").subarray(0, 127);
    const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
    stream.end(Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]));
  });
}
