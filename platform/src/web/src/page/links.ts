/** A piece of what somebody wrote: text, or an address that can be followed. */
export type Piece = string | { readonly href: string; readonly text: string };

/** Only characters that an address may have (RFC 3986): Japanese that follows without a space is text again. */
const ADDRESS = /\bhttps?:\/\/[\w\-.~:/?#[\]@!$&'()*+,;=%]+/gi;
/** What ends a sentence, or was opened before the address. */
const TRAILING = /[.,;:!?'"\]]$/;

/** Finds the http and https addresses in a text. The pieces together are the text, character for character. */
export function splitLinks(text: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = withoutTail(match[0]);
    const href = hrefOf(address);
    if (href === undefined) continue;
    if (match.index > end) pieces.push(text.slice(end, match.index));
    pieces.push({ href, text: address });
    end = match.index + address.length;
  }
  if (end < text.length) pieces.push(text.slice(end));
  return pieces;
}

function withoutTail(found: string): string {
  let address = found;
  while (TRAILING.test(address) || (address.endsWith(")") && count(address, "(") < count(address, ")"))) address = address.slice(0, -1);
  return address;
}

/** Undefined for what no browser can open, and for names before an `@`, which make an address look like another one. */
function hrefOf(address: string): string | undefined {
  if (!URL.canParse(address)) return undefined;
  const { protocol, username, password, href } = new URL(address);
  return (protocol === "https:" || protocol === "http:") && username === "" && password === "" ? href : undefined;
}

function count(text: string, character: string): number {
  return text.split(character).length - 1;
}
