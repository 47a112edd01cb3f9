import { DerError } from "./der.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** The DER of each PEM block with that label (`CERTIFICATE`), in order. @throws DerError for a damaged block. */
export function readPemBlocks(text: string, label: string): readonly Uint8Array[] {
  const blocks = text.matchAll(new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]*)-----END ${label}-----`, "g"));
  return [...blocks].map(([, body = ""]) => decodeBase64(body.replaceAll(/\s/g, "")));
}

/** Writes DER as one PEM block with lines of 64 characters and a newline at its end. */
export function writePem(bytes: Uint8Array, label: string): string {
  const lines = encodeBase64(bytes).match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

function decodeBase64(text: string): Uint8Array {
  const body = text.replace(/={0,2}$/, "");
  if (body.length % 4 === 1) throw new DerError("PEM is cut short");
  const bytes = new Uint8Array(Math.floor((body.length * 3) / 4));
  let buffer = 0;
  let bits = 0;
  let at = 0;
  for (const character of body) {
    const value = ALPHABET.indexOf(character);
    if (value < 0) throw new DerError("PEM has a character that is not base64");
    buffer = ((buffer << 6) | value) & 0xffffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (buffer >> bits) & 0xff;
    }
  }
  return bytes;
}

function encodeBase64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const [a = 0, b = 0, c = 0] = bytes.subarray(i, i + 3);
    const four = [a >> 2, ((a & 3) << 4) | (b >> 4), ((b & 15) << 2) | (c >> 6), c & 63];
    const used = Math.min(4, bytes.length - i + 1);
    text += four.map((value, j) => (j < used ? ALPHABET[value] : "=")).join("");
  }
  return text;
}
