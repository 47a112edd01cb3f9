import type { HeaderLines } from "../real/exchange.ts";

/** The path of Envoy's external authorization over gRPC. */
export const CHECK_PATH = "/envoy.service.auth.v3.Authorization/Check";

/**
 * The headers in a CheckRequest (envoy/service/auth/v3/external_auth.proto): `attributes.request.http.headers`, or `header_map` where Envoy sends raw
 * headers. Undefined where the bytes are no such message.
 */
export function readCheckHeaders(message: Uint8Array): HeaderLines | undefined {
  try {
    const http = onlyField(onlyField(onlyField(message, 1), 4), 2);
    const map = fieldsOf(http, 3).map((entry): readonly [string, string] => [text(onlyField(entry, 1)), text(onlyField(entry, 2))]);
    const raw = fieldsOf(onlyField(http, 13), 1).map((header): readonly [string, string] => {
      const rawValue = onlyField(header, 3);
      return [text(onlyField(header, 1)), text(rawValue.length > 0 ? rawValue : onlyField(header, 2))];
    });
    return [...map, ...raw];
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** A CheckResponse: `status` with the code OK (0) or PERMISSION_DENIED (7). */
export function formatCheckResponse(isAllowed: boolean): Buffer {
  return isAllowed ? Buffer.of(0x0a, 0) : Buffer.of(0x0a, 2, 0x08, 7);
}

/** Of a field that must not repeat the last one counts; absent it is empty. */
function onlyField(message: Uint8Array, number: number): Uint8Array {
  return fieldsOf(message, number).at(-1) ?? new Uint8Array();
}

/** The values of a length-delimited field. @throws RangeError where the bytes are no protobuf message */
function fieldsOf(message: Uint8Array, number: number): readonly Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; at < message.length; ) {
    const tag = varint(message, at);
    at = tag.next;
    const wireType = tag.value % 8;
    if (wireType === 2) {
      const length = varint(message, at);
      const end = length.next + length.value;
      if (end > message.length) throw new RangeError("a field ends after its message");
      if (Math.floor(tag.value / 8) === number) found.push(message.subarray(length.next, end));
      at = end;
    } else if (wireType === 0) at = varint(message, at).next;
    else if (wireType === 1) at += 8;
    else if (wireType === 5) at += 4;
    else throw new RangeError(`no wire type ${wireType}`);
  }
  return found;
}

function varint(bytes: Uint8Array, start: number): { readonly value: number; readonly next: number } {
  let value = 0;
  for (let at = start, factor = 1; at < bytes.length && at < start + 10; at++, factor *= 128) {
    const byte = bytes[at] ?? 0;
    value += (byte & 127) * factor;
    if (byte < 128) return { value, next: at + 1 };
  }
  throw new RangeError("a number has no end");
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}
