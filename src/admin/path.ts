import { didYouMean } from "../base/did-you-mean.ts";
import type { Kind } from "../schema/kinds.ts";
import { Refusal } from "./status-object.ts";

/** What a URL of the API means. */
export type Target =
  /** `/version`, `/api`, `/apis/…` without a kind: what kubectl asks before its first call. */
  | { readonly kind: "discovery"; readonly path: readonly string[] }
  | { readonly kind: "collection"; readonly entry: Kind; readonly version: string; readonly namespace: string | undefined }
  | { readonly kind: "resource"; readonly entry: Kind; readonly version: string; readonly namespace: string; readonly name: string }
  /** Below `/kumiko/v1`. */
  | { readonly kind: "mesh"; readonly path: readonly string[] };

/** A name in a URL: what Kubernetes allows for any kind. Dots alone, slashes and control characters can't be names. */
const SEGMENT = /^[A-Za-z0-9][-A-Za-z0-9._:]{0,252}$/;

/** Reads the path of a URL. Throws a Refusal for one that means nothing. */
export function parsePath(url: string, kinds: readonly Kind[]): Target {
  const path = segmentsOf(url);
  const [root, ...rest] = path;
  if (root === "kumiko") return { kind: "mesh", path: rest };
  if (root === "version" && rest.length === 0) return { kind: "discovery", path };
  if (root === "api" && rest.length <= 1) return { kind: "discovery", path };
  if (root === "apis" && rest.length <= 2) return { kind: "discovery", path };
  if (root === "api") return parseKind("", rest[0] ?? "", rest.slice(1), kinds);
  if (root === "apis") return parseKind(rest[0] ?? "", rest[1] ?? "", rest.slice(2), kinds);
  throw notFound(path);
}

function segmentsOf(url: string): readonly string[] {
  const raw = (url.split("?", 1)[0] ?? "").split("/").slice(1);
  if (raw.at(-1) === "") raw.pop();
  return raw.map((text) => {
    const segment = decode(text);
    if (segment === undefined || !SEGMENT.test(segment)) throw new Refusal("BadRequest", "the path has a segment that can't be a name");
    return segment;
  });
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function parseKind(group: string, version: string, rest: readonly string[], kinds: readonly Kind[]): Target {
  const inNamespace = rest[0] === "namespaces" && rest.length >= 3;
  const namespace = inNamespace ? rest[1] : undefined;
  const [plural = "", name, ...more] = inNamespace ? rest.slice(2) : rest;
  const entry = findEntry(group, version, plural, kinds);
  if (inNamespace && !entry.namespaced) throw new Refusal("NotFound", `${entry.plural} belong to no namespace`);
  if (name === undefined) return { kind: "collection", entry, version, namespace };
  if (more.length > 0) throw new Refusal("NotFound", `${entry.plural} have no subresource "${more.join("/")}" here`);
  if (entry.namespaced && namespace === undefined)
    throw new Refusal("BadRequest", `${entry.plural} are named within a namespace: namespaces/NAMESPACE/${entry.plural}/${name}`);
  return { kind: "resource", entry, version, namespace: namespace ?? "", name };
}

function findEntry(group: string, version: string, plural: string, kinds: readonly Kind[]): Kind {
  const inGroup = kinds.filter((kind) => kind.group === group);
  const entry = inGroup.find((kind) => kind.plural === plural);
  if (entry === undefined) {
    const near = didYouMean(
      plural,
      kinds.map((kind) => kind.plural),
    );
    const home = kinds.find((kind) => kind.plural === near);
    const help = home === undefined ? "" : `; did you mean "${home.plural}" of ${home.group === "" ? "the core group" : home.group}?`;
    throw new Refusal("NotFound", `no kind "${plural}" in ${group === "" ? "the core group" : `group "${group}"`}${help}`);
  }
  if (!entry.versions.includes(version)) {
    throw new Refusal("NotFound", `${entry.plural} have no version "${version}"; there is ${entry.versions.join(", ")}`);
  }
  return entry;
}

function notFound(path: readonly string[]): Refusal {
  return new Refusal("NotFound", `nothing at /${path.join("/")}; the API is below /api, /apis and /kumiko/v1`);
}
