const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Base64 of bytes below 128 (PEM) as text; undefined where it is not Base64 or other bytes are in it. The core has no `atob`. */
export function decodeBase64(encoded: string): string | undefined {
  const characters = encoded.replaceAll(/\s/g, "").replace(/={1,2}$/, "");
  let text = "";
  let bits = 0;
  let held = 0;
  for (const character of characters) {
    const value = ALPHABET.indexOf(character);
    if (value === -1) return undefined;
    bits = (bits << 6) | value;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    const byte = (bits >> held) & 0xff;
    if (byte > 127) return undefined;
    text += String.fromCharCode(byte);
    bits &= (1 << held) - 1;
  }
  return text;
}
