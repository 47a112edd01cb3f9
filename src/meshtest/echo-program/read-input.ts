import { ECHO_LIMITS, type EchoInput } from "./protocol.ts";

/** A line is wrong; `message` says what. */
export interface BadInput {
  readonly kind: "bad";
  readonly id?: number;
  readonly message: string;
}

/** Reads one line of input. What is unknown beside the known fields is passed over. */
export function readInput(line: string): EchoInput | BadInput {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { kind: "bad", message: "a line is no JSON" };
  }
  if (!isRecord(value)) return { kind: "bad", message: "a line is no JSON object" };
  const id = Number.isSafeInteger(value["id"]) ? { id: value["id"] as number } : undefined;
  if (id === undefined) return { kind: "bad", message: "id must be a whole number" };
  const check = Object.hasOwn(INPUTS, String(value["kind"])) ? INPUTS[value["kind"] as EchoInput["kind"]] : undefined;
  const complaint = check === undefined ? "kind must be listen, send or flush" : check(value);
  return complaint === undefined ? (value as unknown as EchoInput) : { kind: "bad", ...id, message: complaint };
}

type Fields = Readonly<Record<string, unknown>>;
/** A text is what is wrong. */
type Check = (value: unknown, name: string) => string | undefined;

const INPUTS: Readonly<Record<EchoInput["kind"], (input: Fields) => string | undefined>> = {
  listen: ({ ports }) => list(ECHO_LIMITS.ports, record(PORT))(ports, "ports"),
  send: ({ order }) => record(ORDER)(order, "order"),
  flush: () => undefined,
};

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const text: Check = (value, name) => (typeof value === "string" ? undefined : `${name} must be a text`);

const short: Check = (value, name) => {
  if (typeof value !== "string") return `${name} must be a text`;
  return value.length > ECHO_LIMITS.headBytes ? `${name} is too long` : undefined;
};

const body: Check = (value, name) => {
  if (typeof value !== "string") return `${name} must be a text`;
  return Buffer.byteLength(value) > ECHO_LIMITS.bodyBytes ? `${name} is too long` : undefined;
};

const flag: Check = (value, name) => (typeof value === "boolean" ? undefined : `${name} must be true or false`);

function integer(least: number, most: number): Check {
  return (value, name) =>
    typeof value === "number" && value >= least && value <= most && Number.isInteger(value)
      ? undefined
      : `${name} must be a whole number from ${least} to ${most}`;
}

function oneOf(...allowed: readonly string[]): Check {
  return (value, name) => (allowed.includes(value as string) ? undefined : `${name} must be one of ${allowed.join(", ")}`);
}

function optional(check: Check): Check {
  return (value, name) => (value === undefined ? undefined : check(value, name));
}

function list(most: number, check: Check): Check {
  return (value, name) => {
    if (!Array.isArray(value)) return `${name} must be a list`;
    if (value.length > most) return `${name} has more than ${most} items`;
    return firstOf(value.map((item: unknown, index) => () => check(item, `${name}[${index}]`)));
  };
}

function record(fields: Readonly<Record<string, Check>>): Check {
  return (value, name) => {
    if (!isRecord(value)) return `${name} must be an object`;
    return firstOf(
      Object.entries(fields).map(
        ([key, check]) =>
          () =>
            check(value[key], `${name}.${key}`),
      ),
    );
  };
}

function firstOf(checks: readonly (() => string | undefined)[]): string | undefined {
  for (const check of checks) {
    const complaint = check();
    if (complaint !== undefined) return complaint;
  }
  return undefined;
}

const pair: Check = (value, name) =>
  Array.isArray(value) && value.length === 2 ? (short(value[0], name) ?? short(value[1], name)) : `${name} must be a name and a value`;

const PORT: Readonly<Record<string, Check>> = {
  address: optional(text),
  port: integer(1, 65_535),
  as: text,
  tls: optional(record({ chainPem: text, keyPem: text })),
  greeting: optional(body),
};

const ORDER: Readonly<Record<string, Check>> = {
  protocol: oneOf("http1", "http2", "grpc", "websocket", "tcp", "tls"),
  destination: record({ address: text, port: integer(1, 65_535) }),
  localAddress: optional(text),
  tls: optional(
    record({ sni: optional(text), alpn: list(16, text), trustPem: optional(text), chainPem: optional(text), keyPem: optional(text) }),
  ),
  method: short,
  authority: short,
  path: short,
  headers: list(2_000, pair),
  body,
  timeoutMs: integer(1, ECHO_LIMITS.timeoutMs),
  serverFirst: optional(flag),
};
