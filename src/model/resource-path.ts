/** A file or folder of resources; with a namespace, that of documents which name none, as in `kubectl apply --namespace NAME --filename PATH`. */
export type ResourcePath = string | { readonly path: string; readonly namespace: string };

export function splitResourcePath(given: ResourcePath): { readonly path: string; readonly namespace?: string } {
  return typeof given === "string" ? { path: given } : given;
}

/** The same with another path. */
export function withPath(given: ResourcePath, path: string): ResourcePath {
  return typeof given === "string" ? path : { ...given, path };
}
