import type { Kind } from "../schema/kinds.ts";
import { Refusal } from "./status-object.ts";

const VERBS = ["create", "delete", "get", "list", "update"];

/** What kubectl asks to learn the kinds: `/version`, `/api`, `/api/v1`, `/apis`, `/apis/GROUP`, `/apis/GROUP/VERSION`. */
export function discover(path: readonly string[], kinds: readonly Kind[], version: string): unknown {
  const [root, first, second] = path;
  // The API whose shapes we speak; kubectl compares it with its own.
  if (root === "version") return { major: "1", minor: "36", gitVersion: `v1.36.0+kumiko.${version}`, platform: "" };
  if (root === "api") {
    if (first === undefined) return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] };
    return resourceList("", first, kinds);
  }
  if (first === undefined) return { kind: "APIGroupList", apiVersion: "v1", groups: groupsOf(kinds).map((group) => toGroup(group, kinds)) };
  if (!groupsOf(kinds).includes(first)) throw new Refusal("NotFound", `no group "${first}"; there is ${groupsOf(kinds).join(", ")}`);
  if (second === undefined) return { kind: "APIGroup", apiVersion: "v1", ...toGroup(first, kinds) };
  return resourceList(first, second, kinds);
}

function groupsOf(kinds: readonly Kind[]): readonly string[] {
  return [...new Set(kinds.map((kind) => kind.group))].filter((group) => group !== "").sort();
}

function toGroup(group: string, kinds: readonly Kind[]): Readonly<Record<string, unknown>> {
  const versions = [...new Set(kinds.filter((kind) => kind.group === group).flatMap((kind) => kind.versions))];
  const named = versions.map((version) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions: named, preferredVersion: named[0] };
}

function resourceList(group: string, version: string, kinds: readonly Kind[]): unknown {
  const found = kinds.filter((kind) => kind.group === group && kind.versions.includes(version));
  if (found.length === 0)
    throw new Refusal("NotFound", `no version "${version}" of ${group === "" ? "the core group" : `group "${group}"`}`);
  const resources = found.map((kind) => ({
    name: kind.plural,
    singularName: kind.singular,
    namespaced: kind.namespaced,
    kind: kind.kind,
    shortNames: kind.shortNames,
    verbs: VERBS,
  }));
  return { kind: "APIResourceList", apiVersion: "v1", groupVersion: group === "" ? version : `${group}/${version}`, resources };
}
