import type { Offered } from "./offer.ts";

const PREFIX = /^Error adding\/updating (?:listener|cluster)\(s\) /;

/**
 * Which of the sent resources Envoy's error text blames. LDS and CDS name each bad one (`Error adding/updating listener(s) a: reason\nb: reason`);
 * other types name none, and then the only resource of a message is the bad one. Empty where it can't be told.
 */
export function findRefused(message: string, sent: readonly Offered[]): readonly Offered[] {
  if (sent.length === 1) return sent;
  if (!PREFIX.test(message)) return [];
  const text = message.replace(PREFIX, "");
  return sent.filter(({ name }) => isBlamed(text, name));
}

/** A blamed name begins the text, a line, or follows a comma, and a colon follows it. */
function isBlamed(text: string, name: string): boolean {
  for (let at = text.indexOf(`${name}: `); at >= 0; at = text.indexOf(`${name}: `, at + 1)) {
    const before = text.slice(Math.max(0, at - 2), at);
    if (at === 0 || before.endsWith("\n") || before === ", ") return true;
  }
  return false;
}
