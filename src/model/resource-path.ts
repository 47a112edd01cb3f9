/** A file or folder of resources, more closely. */
export interface PlacedPath {
  readonly path: string;
  /** That of documents which name none, as in `kubectl apply --namespace NAME --filename PATH`. */
  readonly namespace?: string;
  /** Where the path is a Helm chart: a file of values that go before the chart's own. */
  readonly values?: string;
}

export type ResourcePath = string | PlacedPath;

export function splitResourcePath(given: ResourcePath): PlacedPath {
  return typeof given === "string" ? { path: given } : given;
}
