import { decodeBase64 } from "../../base/base64.ts";

/** Base64 of bytes below 128 (PEM) as text; undefined where it is not Base64 or other bytes are in it. */
export function decodeBase64Text(encoded: string): string | undefined {
  const bytes = decodeBase64(encoded.replaceAll(/\s/g, "").replace(/={1,2}$/, ""));
  if (bytes === undefined || bytes.some((byte) => byte > 127)) return undefined;
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
