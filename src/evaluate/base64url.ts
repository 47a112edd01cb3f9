const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Text from unpadded base64url of UTF-8; undefined for anything else. */
export function decodeBase64Url(text: string): string | undefined {
  if (text.length % 4 === 1 || !/^[A-Za-z0-9\-_]*$/.test(text)) return undefined;
  let bits = 0;
  let held = 0;
  let escaped = "";
  for (const letter of text) {
    bits = ((bits << 6) | LETTERS.indexOf(letter)) & 0xffff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    escaped += `%${((bits >> held) & 0xff).toString(16).padStart(2, "0")}`;
  }
  try {
    return decodeURIComponent(escaped);
  } catch {
    return undefined;
  }
}

export function encodeBase64Url(text: string): string {
  const bytes = encodeURIComponent(text).replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  let encoded = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const [a, b, c] = [bytes.charCodeAt(i), bytes.charCodeAt(i + 1), bytes.charCodeAt(i + 2)].map((byte) =>
      Number.isNaN(byte) ? undefined : byte,
    );
    const group = ((a ?? 0) << 16) | ((b ?? 0) << 8) | (c ?? 0);
    const letters = c !== undefined ? 4 : b !== undefined ? 3 : 2;
    for (let n = 0; n < letters; n++) encoded += LETTERS.charAt((group >> (18 - 6 * n)) & 63);
  }
  return encoded;
}
