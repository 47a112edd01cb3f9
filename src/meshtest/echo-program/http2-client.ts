import type { Duplex } from "node:stream";
import type { ClientOrder, HeaderLines } from "../real/exchange.ts";
import { ByteReader } from "./byte-reader.ts";
import { formatMessage, readMessage } from "./grpc-message.ts";
import { decodeHeaders, encodeHeaders } from "./hpack.ts";
import { closed, type Ending, endingOf } from "./open-connection.ts";
import { valueOf } from "./http1-message.ts";
import { ECHO_LIMITS } from "./protocol.ts";

/** RFC 9113, section 6. */
const FRAME = { data: 0, headers: 1, rstStream: 3, settings: 4, ping: 6, goaway: 7, windowUpdate: 8, continuation: 9 } as const;
const FLAG = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const;
const SETTING = { headerTableSize: 1, enablePush: 2, initialWindowSize: 4 } as const;

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
/** The largest that a peer takes without having said more; the same for what we take. */
const FRAME_BYTES = 16_384;
const FIRST_WINDOW = 65_535;
/** The only request of its connection. */
const STREAM = 1;

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/**
 * One HTTP/2 request in frames of our own making: Node's client refuses headers that proxies must be able to refuse by themselves. Added to a
 * gRPC request is its content type, where the order has none.
 */
export function requestHttp2(stream: Duplex, order: ClientOrder): Promise<Ending> {
  return new Exchange(stream, order).run();
}

class Exchange {
  readonly #stream: Duplex;
  readonly #order: ClientOrder;
  readonly #reader: ByteReader;
  #unsent: Buffer;
  #connectionWindow = FIRST_WINDOW;
  #streamWindow = FIRST_WINDOW;
  #initialWindow = FIRST_WINDOW;
  #head: { readonly status: number; readonly headers: HeaderLines } | undefined;
  #trailers: HeaderLines = [];
  readonly #body: Buffer[] = [];
  #bodyBytes = 0;
  /** A header block whose end is still to come. */
  #block: Buffer | undefined;
  #blockEndsStream = false;

  constructor(stream: Duplex, order: ClientOrder) {
    this.#stream = stream;
    this.#order = order;
    this.#reader = new ByteReader(stream);
    const body = Buffer.from(order.body);
    this.#unsent = order.protocol === "grpc" ? formatMessage(body) : body;
  }

  async run(): Promise<Ending> {
    this.#start();
    for (;;) {
      const frame = await this.#readFrame();
      if (frame === undefined) return this.#cutBy(this.#failure());
      const ending = typeof frame === "string" ? this.#cutBy(closed(frame)) : this.#take(frame);
      if (ending !== undefined) return ending;
    }
  }

  #start(): void {
    const settings = Buffer.alloc(12);
    settings.writeUInt16BE(SETTING.headerTableSize, 0);
    settings.writeUInt16BE(SETTING.enablePush, 6);
    this.#stream.write(PREFACE);
    this.#write(FRAME.settings, 0, 0, settings);
    const block = encodeHeaders(requestLines(this.#order));
    const endStream = this.#unsent.length === 0 ? FLAG.endStream : 0;
    for (let at = 0; at < block.length; at += FRAME_BYTES) {
      const endHeaders = at + FRAME_BYTES >= block.length ? FLAG.endHeaders : 0;
      const part = block.subarray(at, at + FRAME_BYTES);
      this.#write(at === 0 ? FRAME.headers : FRAME.continuation, endHeaders | (at === 0 ? endStream : 0), STREAM, part);
    }
    this.#sendBody();
  }

  #sendBody(): void {
    for (;;) {
      const size = Math.min(this.#unsent.length, FRAME_BYTES, this.#connectionWindow, this.#streamWindow);
      if (size <= 0) return;
      const part = this.#unsent.subarray(0, size);
      this.#unsent = this.#unsent.subarray(size);
      this.#connectionWindow -= size;
      this.#streamWindow -= size;
      this.#write(FRAME.data, this.#unsent.length === 0 ? FLAG.endStream : 0, STREAM, part);
    }
  }

  #write(type: number, flags: number, stream: number, payload: Buffer): void {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = type;
    head[4] = flags;
    head.writeUInt32BE(stream, 5);
    this.#stream.write(Buffer.concat([head, payload]));
  }

  /** A text where what came is no frame; undefined where the connection ended. */
  async #readFrame(): Promise<Frame | string | undefined> {
    const head = await this.#reader.exactly(9);
    if (head === undefined) return undefined;
    const length = head.readUIntBE(0, 3);
    if (length > FRAME_BYTES) return `what came is no HTTP/2: ${head.toString("latin1")}`;
    const payload = await this.#reader.exactly(length);
    return payload && { type: head[3] ?? 0, flags: head[4] ?? 0, stream: head.readUInt32BE(5) & 0x7fff_ffff, payload };
  }

  /** The ending, where the frame is the last one. */
  #take(frame: Frame): Ending | undefined {
    const { type, flags, stream, payload } = frame;
    if (this.#block !== undefined && type !== FRAME.continuation) return this.#cutBy(closed("a header block without an end"));
    switch (type) {
      case FRAME.settings:
        if ((flags & FLAG.ack) === 0) this.#takeSettings(payload);
        return undefined;
      case FRAME.ping:
        if ((flags & FLAG.ack) === 0) this.#write(FRAME.ping, FLAG.ack, 0, payload);
        return undefined;
      case FRAME.windowUpdate:
        if (payload.length === 4) this.#widen(stream, payload.readUInt32BE() & 0x7fff_ffff);
        return undefined;
      case FRAME.goaway:
        return this.#takeGoaway(payload);
      case FRAME.rstStream:
        return stream === STREAM ? this.#cutBy(closed(`stream reset: ${errorName(payload, 0)}`)) : undefined;
      case FRAME.headers:
      case FRAME.continuation:
        return stream === STREAM ? this.#takeBlock(frame) : undefined;
      case FRAME.data:
        return stream === STREAM ? this.#takeData(frame) : undefined;
      default:
        return undefined;
    }
  }

  #takeSettings(payload: Buffer): void {
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      if (payload.readUInt16BE(at) !== SETTING.initialWindowSize) continue;
      const size = payload.readUInt32BE(at + 2);
      this.#streamWindow += size - this.#initialWindow;
      this.#initialWindow = size;
    }
    this.#write(FRAME.settings, FLAG.ack, 0, Buffer.alloc(0));
    this.#sendBody();
  }

  #widen(stream: number, bytes: number): void {
    if (stream === 0) this.#connectionWindow += bytes;
    if (stream === STREAM) this.#streamWindow += bytes;
    this.#sendBody();
  }

  /** A peer that will still answer the only request says so. */
  #takeGoaway(payload: Buffer): Ending | undefined {
    const error = errorName(payload, 4);
    const isAnswered = payload.length >= 8 && (payload.readUInt32BE(0) & 0x7fff_ffff) >= STREAM && error === "NO_ERROR";
    return isAnswered ? undefined : this.#cutBy(closed(`connection given up: ${error}`));
  }

  #takeBlock({ type, flags, payload }: Frame): Ending | undefined {
    if (type === FRAME.headers) {
      this.#blockEndsStream = (flags & FLAG.endStream) !== 0;
      const unpadded = withoutPadding(flags, payload);
      this.#block = (flags & FLAG.priority) === 0 ? unpadded : unpadded.subarray(5);
    } else this.#block = Buffer.concat([this.#block ?? Buffer.alloc(0), payload]);
    if (this.#block.length > ECHO_LIMITS.headBytes) return this.#cutBy(closed("a header block that is too long"));
    if ((flags & FLAG.endHeaders) === 0) return undefined;
    const lines = decodeHeaders(this.#block);
    this.#block = undefined;
    if (lines === undefined) return this.#cutBy(closed("a header block that can't be read"));
    this.#takeLines(lines);
    return this.#blockEndsStream ? this.#whole() : undefined;
  }

  #takeLines(lines: HeaderLines): void {
    const headers = lines.filter(([name]) => !name.startsWith(":"));
    const status = Number(valueOf(lines, ":status") ?? 0);
    if (this.#head !== undefined) this.#trailers = headers;
    else if (status >= 200) this.#head = { status, headers };
  }

  #takeData({ flags, payload }: Frame): Ending | undefined {
    const bytes = withoutPadding(flags, payload);
    this.#bodyBytes += bytes.length;
    if (this.#bodyBytes > ECHO_LIMITS.bodyBytes) return this.#cutBy(closed("a body that is too long"));
    this.#body.push(bytes);
    if ((flags & FLAG.endStream) !== 0) return this.#whole();
    if (payload.length > 0) {
      const more = Buffer.alloc(4);
      more.writeUInt32BE(payload.length);
      this.#write(FRAME.windowUpdate, 0, 0, more);
      this.#write(FRAME.windowUpdate, 0, STREAM, more);
    }
    return undefined;
  }

  #whole(): Ending {
    if (this.#head === undefined) return closed("the stream ended without an answer");
    const body = Buffer.concat(this.#body);
    const text = (this.#order.protocol === "grpc" ? readMessage(body) : body).toString("utf8");
    return { kind: "response", ...this.#head, trailers: this.#trailers, body: text };
  }

  /** How it ended, unless the answer had begun. */
  #cutBy(ending: Ending): Ending {
    return this.#head === undefined ? ending : { ...(this.#whole() as Extract<Ending, { kind: "response" }>), cut: true };
  }

  #failure(): Ending {
    const { error, total } = this.#reader;
    if (error !== undefined) return endingOf(error);
    return closed(total === 0 ? "ended without a byte" : "ended without an answer");
  }
}

function requestLines({ protocol, method, authority, path, headers, tls }: ClientOrder): HeaderLines {
  const isTyped = protocol !== "grpc" || valueOf(headers, "content-type") !== undefined;
  return [
    [":method", method],
    [":scheme", tls === undefined ? "http" : "https"],
    [":authority", authority],
    [":path", path],
    ...headers.map(([name, value]) => [name.toLowerCase(), value] as const),
    ...(isTyped ? [] : [["content-type", "application/grpc"] as const]),
  ];
}

function withoutPadding(flags: number, payload: Buffer): Buffer {
  return (flags & FLAG.padded) === 0 ? payload : payload.subarray(1, Math.max(1, payload.length - (payload[0] ?? 0)));
}

/** RFC 9113, section 7, in order of their numbers. */
const ERRORS = (
  "NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED FRAME_SIZE_ERROR REFUSED_STREAM CANCEL " +
  "COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM INADEQUATE_SECURITY HTTP_1_1_REQUIRED"
).split(" ");

function errorName(payload: Buffer, at: number): string {
  const code = payload.length >= at + 4 ? payload.readUInt32BE(at) : 0;
  return ERRORS[code] ?? `error ${code}`;
}
