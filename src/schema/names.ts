import { isIp, parseCidr } from "../base/cidr.ts";

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/** A label of RFC 1123: what Kubernetes takes as a namespace's name. */
export function isDnsLabel(text: string): boolean {
  return LABEL.test(text);
}

/** Labels of RFC 1123 with dots between: what Kubernetes takes as most kinds' names. */
export function isDnsName(text: string): boolean {
  return text.length <= 253 && text.split(".").every(isDnsLabel);
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
