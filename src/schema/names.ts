import { isIp, parseCidr } from "../base/cidr.ts";

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN_PART = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/** A label of RFC 1123: what Kubernetes takes as a Namespace's name, and as a Service's where those are validated as newer versions do. */
export function isDnsLabel(text: string): boolean {
  return LABEL.test(text);
}

/** What Kubernetes calls a DNS subdomain, and takes as most kinds' names: up to 253 characters, of which a part may have more than 63. */
export function isDnsSubdomain(text: string): boolean {
  return text.length <= 253 && text.split(".").every((part) => SUBDOMAIN_PART.test(part));
}

/** Labels of RFC 1123 with dots between: a host's name. */
export function isDnsName(text: string): boolean {
  return text.length <= 253 && text.split(".").every(isDnsLabel);
}

/** What keeps a text from being a name of a form, in words for a person; `dots` tells a subdomain from a label. */
export function explainName(text: string, { dots }: { readonly dots: boolean }): string {
  const longest = dots ? 253 : 63;
  if (text.length > longest) return `it has ${text.length} characters, and may have ${longest}`;
  if (/[A-Z]/.test(text)) return "write it in small letters";
  if (!dots && text.includes(".")) return "it may have no dots";
  const allowed = `small letters, digits${dots ? ", dashes and dots" : " and dashes"}`;
  if (!/^[-a-z0-9.]*$/.test(text)) return `use ${allowed}`;
  return dots ? "begin and end it, and what stands between dots, with a letter or a digit" : "begin and end it with a letter or a digit";
}

/** A name, or one with a first label of `*` for all names below; not `*` alone. */
export function isHostPattern(text: string): boolean {
  const host = text.startsWith("*.") ? text.slice(2) : text;
  return isDnsName(host.toLowerCase().replaceAll("_", "-"));
}

export function isLabelKey(text: string): boolean {
  const [prefix, name, ...rest] = text.includes("/") ? text.split("/") : [undefined, text];
  return rest.length === 0 && (prefix === undefined || isDnsName(prefix)) && name !== undefined && name !== "" && isLabelValue(name);
}

export function isLabelValue(text: string): boolean {
  return LABEL_VALUE.test(text);
}

export function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}

export function isCidr(text: string): boolean {
  return parseCidr(text) !== undefined;
}

export { isIp };
