import type { ProxyStatus } from "../admin/backend.ts";
import { didYouMean } from "../base/did-you-mean.ts";
import { MeshError } from "../model/error.ts";

export type ProxyName = Pick<ProxyStatus, "namespace" | "name" | "ready">;

/**
 * The proxy that a person means by WORKLOAD: a Pod's name, `pod/NAME`, `NAME.NAMESPACE` as Istio's users write it, or the name of what made
 * the Pod (`users`, `deploy/users`): then a ready one of its Pods. Without a namespace, one that is alone in having the name.
 * Throws a `not-found` MeshError with a did-you-mean, or a `usage` one where several namespaces have it.
 */
export function findProxy(word: string, namespace: string | undefined, proxies: readonly ProxyName[]): ProxyName {
  const { name, within } = split(word, namespace, proxies);
  const inNamespace = proxies.filter((proxy) => within === undefined || proxy.namespace === within);
  const exact = inNamespace.filter((proxy) => proxy.name === name);
  const matches = exact.length > 0 ? exact : inNamespace.filter((proxy) => ownerOf(proxy.name, name));
  const namespaces = new Set(matches.map((proxy) => proxy.namespace));
  if (namespaces.size > 1) {
    throw new MeshError("usage", `"${name}" is a workload of ${[...namespaces].sort().join(", ")}`, {
      help: `say which: -n ${[...namespaces].sort()[0]}`,
    });
  }
  const [first] = matches.toSorted((one, other) => Number(other.ready) - Number(one.ready) || (one.name < other.name ? -1 : 1));
  if (first !== undefined) return first;
  const near = didYouMean(
    name,
    inNamespace.flatMap((proxy) => [proxy.name, proxy.name.replace(POD_SUFFIX, "")]),
  );
  const hint = near === undefined ? elsewhere(name, within, proxies) : ` (did you mean "${near}"?)`;
  throw new MeshError("not-found", `no workload "${name}" with a proxy${within === undefined ? "" : ` in namespace ${within}`}${hint}`, {
    help: "kumiko status",
  });
}

/** The namespace that has what another one was asked for. */
function elsewhere(name: string, within: string | undefined, proxies: readonly ProxyName[]): string {
  if (within === undefined) return "";
  const others = proxies.filter((proxy) => proxy.name === name || ownerOf(proxy.name, name)).map(({ namespace }) => namespace);
  const [other] = [...new Set(others)].sort();
  const meant =
    other === undefined
      ? didYouMean(
          within,
          proxies.map(({ namespace }) => namespace),
        )
      : undefined;
  if (other !== undefined) return `: it is in namespace ${other}`;
  return meant === undefined || meant === within ? "" : ` (did you mean namespace "${meant}"?)`;
}

function split(
  word: string,
  namespace: string | undefined,
  proxies: readonly ProxyName[],
): { readonly name: string; readonly within: string | undefined } {
  const name = word.replace(/^[a-z]+\//, "");
  const dot = name.lastIndexOf(".");
  const last = name.slice(dot + 1);
  const isNamespace = dot > 0 && !proxies.some((proxy) => proxy.name === name) && proxies.some((proxy) => proxy.namespace === last);
  return isNamespace ? { name: name.slice(0, dot), within: last } : { name, within: namespace };
}

/** What Deployments (`-5d4f-x2v7q`), StatefulSets (`-0`) and our runtime (`-1`) add to their own name. */
const POD_SUFFIX = /(-[a-z0-9]{1,10})?-[a-z0-9]{1,10}$/;

/** Kubernetes and our runtime cut what stands before the suffix of 5 here, so that a Pod's name is a label. */
const CUT_AT = 58;

function ownerOf(pod: string, owner: string): boolean {
  const isCut = pod.length === CUT_AT + 5 && pod.charAt(CUT_AT - 1) !== "-";
  if (isCut && `${owner}-`.startsWith(pod.slice(0, CUT_AT))) return true;
  const added = pod.slice(owner.length);
  return pod.startsWith(`${owner}-`) && (/^(-[a-z0-9]{1,10}){1,2}$/.test(added) || (isCut && /^-[a-z0-9]{6,15}$/.test(added)));
}
