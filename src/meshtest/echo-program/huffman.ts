/** Lengths in bits of HPACK's codes for the bytes 0 to 255 and the end mark (RFC 7541, appendix B), in base 36: the codes follow, being canonical. */
const LENGTHS =
  "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6cad67777777777777777777777878djde6f565" +
  "65666577666567655677777fbedskmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmnqqkjmnmp" +
  "qqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrqu";

const END_MARK = 256;

/** Bytes by length and code. */
const SYMBOLS = symbolsByCode();

function symbolsByCode(): ReadonlyMap<number, number> {
  const lengths = [...LENGTHS].map((digit) => Number.parseInt(digit, 36));
  const symbols = new Map<number, number>();
  let code = 0;
  for (let length = 5; length <= 30; length++) {
    code *= 2;
    for (const [symbol, own] of lengths.entries()) {
      if (own !== length) continue;
      symbols.set(keyOf(length, code), symbol);
      code += 1;
    }
  }
  return symbols;
}

function keyOf(length: number, code: number): number {
  return length * 2 ** 30 + code;
}

/** The bytes; undefined where the bytes are no such code. */
export function decodeHuffman(bytes: Uint8Array): Buffer | undefined {
  const text: number[] = [];
  let code = 0;
  let length = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((byte >> bit) & 1);
      length += 1;
      if (length > 30) return undefined;
      const symbol = SYMBOLS.get(keyOf(length, code));
      if (symbol === undefined) continue;
      if (symbol === END_MARK) return undefined;
      text.push(symbol);
      code = 0;
      length = 0;
    }
  }
  // Padding: fewer than 8 bits, all ones.
  return length < 8 && code === 2 ** length - 1 ? Buffer.from(text) : undefined;
}
