import { lookup as resolveHost } from "node:dns/promises";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { BlockList, isIP } from "node:net";
import { MeshError } from "../model/error.ts";

/** Never the target of a key fetch by name: this machine, its links, and cloud metadata (169.254.169.254, fd00:ec2::254). */
const FORBIDDEN = new BlockList();
FORBIDDEN.addSubnet("0.0.0.0", 8, "ipv4");
FORBIDDEN.addSubnet("127.0.0.0", 8, "ipv4");
FORBIDDEN.addSubnet("169.254.0.0", 16, "ipv4");
FORBIDDEN.addAddress("::", "ipv6");
FORBIDDEN.addAddress("::1", "ipv6");
FORBIDDEN.addSubnet("fe80::", 10, "ipv6");
FORBIDDEN.addSubnet("::ffff:0:0", 96, "ipv6");
FORBIDDEN.addAddress("fd00:ec2::254", "ipv6");

const MAX_BYTES = 1024 * 1024;
const TIMEOUT_MS = 5_000;
const MAX_ETAG = 256;

export interface KeySetFetchOptions {
  /** `host` or `host:port` to the `address:port` that stands for it: what the user wrote in `hosts:`, and so may be loopback. */
  readonly hosts: ReadonlyMap<string, string>;
  /** PEM authorities trusted beside the system's. */
  readonly ca?: readonly string[];
  readonly signal?: AbortSignal;
  /** The version that the caller has (the ETag of an earlier answer). */
  readonly known?: string;
}

/** What a provider answered. `version` is the answer's ETag, where it has one. */
export interface FetchedKeySet {
  readonly text: string;
  readonly version?: string;
}

/**
 * Fetches the text of a key set, unless the provider says that it is the known one. One host, no redirect, 1 MiB and 5 s at most, never an address of this machine or its link unless `hosts`
 * names it: a `jwksUri` is written by a tenant and fetched by us.
 *
 * @throws MeshError `refused` for a forbidden address or scheme, `network` for everything that the other end did.
 */
export async function fetchKeySet(uri: string, options: KeySetFetchOptions): Promise<FetchedKeySet | "unchanged"> {
  const url = parseUri(uri);
  const target = await resolveTarget(url, options.hosts);
  return await get(url, target, options);
}

function parseUri(uri: string): URL {
  const url = URL.parse(uri);
  if (url === null) throw new MeshError("refused", `"${uri}" is no URL`);
  if (url.protocol !== "https:" && url.protocol !== "http:")
    throw new MeshError("refused", `scheme ${url.protocol} is not fetched, only http and https`);
  if (url.username !== "" || url.password !== "") throw new MeshError("refused", "a key set's URL carries no credentials");
  return url;
}

interface Target {
  readonly address: string;
  readonly port: number;
}

async function resolveTarget(url: URL, hosts: ReadonlyMap<string, string>): Promise<Target> {
  const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
  const host = url.hostname.replaceAll(/^\[|\]$/g, "");
  const mapped = hosts.get(`${host}:${port}`) ?? hosts.get(host);
  if (mapped !== undefined) return parseTarget(mapped, port);
  const address = isIP(host) === 0 ? await resolveName(host) : host;
  if (FORBIDDEN.check(address, isIP(address) === 6 ? "ipv6" : "ipv4")) {
    throw new MeshError("refused", `${host} is ${address}, an address of this machine or its link`, {
      help: `name it under "hosts:" in kumiko.yaml if that is meant`,
    });
  }
  return { address, port };
}

function parseTarget(text: string, port: number): Target {
  const colon = text.lastIndexOf(":");
  return colon < 0 ? { address: text, port } : { address: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}

async function resolveName(host: string): Promise<string> {
  try {
    return (await resolveHost(host)).address;
  } catch (error) {
    throw new MeshError("network", `${host} has no address`, { cause: error });
  }
}

function get(url: URL, target: Target, options: KeySetFetchOptions): Promise<FetchedKeySet | "unchanged"> {
  const { promise, resolve, reject } = Promise.withResolvers<FetchedKeySet | "unchanged">();
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
  const fail = (message: string, cause?: unknown) => reject(new MeshError("network", `${url.href}: ${message}`, { cause }));
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  const request = send(
    {
      host: target.address,
      port: target.port,
      servername: url.hostname,
      path: url.pathname + url.search,
      headers: {
        host: url.host,
        accept: "application/jwk-set+json, application/json",
        ...(options.known !== undefined && { "if-none-match": options.known }),
      },
      signal,
      agent: false,
      ...(options.ca !== undefined && { ca: [...options.ca] }),
    },
    (response) => {
      if (response.statusCode === 304 && options.known !== undefined) {
        response.resume();
        return resolve("unchanged");
      }
      if (response.statusCode !== 200) {
        response.destroy();
        return fail(
          `answered ${response.statusCode}, expected 200${response.headers.location === undefined ? "" : " (redirects are not followed)"}`,
        );
      }
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_BYTES) return void response.destroy(new Error(`more than ${MAX_BYTES} bytes`));
        chunks.push(chunk);
      });
      const { etag } = response.headers;
      const version = etag === undefined || etag.length > MAX_ETAG ? {} : { version: etag };
      response.on("end", () => resolve({ text: Buffer.concat(chunks).toString("utf8"), ...version }));
      response.on("error", (error) => fail(error.message, error));
    },
  );
  request.on("error", (error) => fail(timeout.aborted ? `no answer within ${TIMEOUT_MS / 1000} s` : error.message, error));
  request.end();
  return promise;
}
