/** An address or a range of them; `address` holds 32 bits for IPv4 and 128 for IPv6, with the bits behind the prefix cleared. */
export interface Cidr {
  readonly family: 4 | 6;
  readonly address: bigint;
  readonly prefixLength: number;
}

/** Reads `10.0.0.0/8`, `2001:db8::/32` or a bare address (a range of one). Undefined for anything else. */
export function parseCidr(text: string): Cidr | undefined {
  const [addressText = "", prefixText, ...rest] = text.split("/");
  const ip = parseIp(addressText);
  if (ip === undefined || rest.length > 0) return undefined;
  const bits = ip.family === 4 ? 32 : 128;
  if (prefixText === undefined) return { ...ip, prefixLength: bits };
  if (!/^(0|[1-9]\d{0,2})$/.test(prefixText) || Number(prefixText) > bits) return undefined;
  const prefixLength = Number(prefixText);
  const hostBits = BigInt(bits - prefixLength);
  return { family: ip.family, address: (ip.address >> hostBits) << hostBits, prefixLength };
}

/** Whether every address of `inner` is one of `outer`. */
export function cidrContains(outer: Cidr, inner: Cidr): boolean {
  if (outer.family !== inner.family || outer.prefixLength > inner.prefixLength) return false;
  const hostBits = BigInt((outer.family === 4 ? 32 : 128) - outer.prefixLength);
  return outer.address >> hostBits === inner.address >> hostBits;
}

export function isIp(text: string): boolean {
  return parseIp(text) !== undefined;
}

/** 127.0.0.0/8 or ::1; nothing that is mapped into IPv6. */
export function isLoopback(text: string): boolean {
  const ip = parseIp(text);
  return isIpv4Loopback(text) || (ip?.family === 6 && ip.address === 1n);
}

export function isIpv4Loopback(text: string): boolean {
  const ip = parseIp(text);
  return ip?.family === 4 && ip.address >> 24n === 127n;
}

/** Reads an address without brackets or zone. An IPv4 address has four decimal numbers without leading zeros. */
export function parseIp(text: string): { readonly family: 4 | 6; readonly address: bigint } | undefined {
  const address = text.includes(":") ? parseIpv6(text) : parseIpv4(text);
  return address === undefined ? undefined : { family: text.includes(":") ? 6 : 4, address };
}

/** Dotted quad of 32 bits. */
export function formatIpv4(address: bigint | number): string {
  const bits = Number(address);
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join(".");
}

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) return undefined;
  return parts.reduce((bits, part) => (bits << 8n) | BigInt(part), 0n);
}

function parseIpv6(text: string): bigint | undefined {
  if (text.length > 45) return undefined;
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half, i) => readGroups(half, i === halves.length - 1));
  if (head === undefined) return undefined;
  if (halves.length === 1) return head.length === 8 ? join(head) : undefined;
  if (tail === undefined || head.length + tail.length > 7) return undefined;
  return join([...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail]);
}

/** The last two groups may be an IPv4 address, where they end the whole. */
function readGroups(text: string, mayEmbed: boolean): readonly number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    const embedded = mayEmbed && i === parts.length - 1 && part.includes(".") ? parseIpv4(part) : undefined;
    if (embedded !== undefined) groups.push(Number(embedded >> 16n), Number(embedded & 0xffffn));
    else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

function join(groups: readonly number[]): bigint {
  return groups.reduce((bits, group) => (bits << 16n) | BigInt(group), 0n);
}
