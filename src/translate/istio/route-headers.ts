import type { HeaderOperations } from "../../ir/route.ts";

interface HeadersSpec {
  readonly request?: OperationsSpec;
  readonly response?: OperationsSpec;
}

interface OperationsSpec {
  readonly add?: Readonly<Record<string, string>>;
  readonly set?: Readonly<Record<string, string>>;
  readonly remove?: readonly string[];
}

export interface TranslatedHeaders {
  readonly request?: HeaderOperations;
  readonly response?: HeaderOperations;
  /** Setting `Host` (or `:authority`) rewrites the host instead. */
  readonly host?: string;
}

/** Header operations without those that Envoy refuses: pseudo headers and `Host` can't be added or removed. */
export function toHeaderOperations(headers: HeadersSpec | undefined): TranslatedHeaders {
  if (headers === undefined) return {};
  const request = operations(headers.request);
  const response = operations(headers.response);
  const host = authority(headers.request?.set) ?? authority(headers.request?.add);
  return { ...(request !== undefined && { request }), ...(response !== undefined && { response }), ...(host !== undefined && { host }) };
}

function operations(spec: OperationsSpec | undefined): HeaderOperations | undefined {
  const set = ordinary(spec?.set);
  const add = ordinary(spec?.add);
  const remove = (spec?.remove ?? []).filter((name) => !isInternal(name));
  if (Object.keys(set).length + Object.keys(add).length + remove.length === 0) return undefined;
  return { ...(Object.keys(set).length > 0 && { set }), ...(Object.keys(add).length > 0 && { add }), ...(remove.length > 0 && { remove }) };
}

function ordinary(headers: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => !isInternal(name))
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
}

function authority(headers: Readonly<Record<string, string>> = {}): string | undefined {
  return Object.entries(headers).find(([name]) => isAuthority(name))?.[1];
}

function isAuthority(name: string): boolean {
  return name.toLowerCase() === ":authority" || name.toLowerCase() === "host";
}

function isInternal(name: string): boolean {
  return name.startsWith(":") || name.toLowerCase() === "host";
}
