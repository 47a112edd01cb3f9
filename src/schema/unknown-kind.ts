import { didYouMean } from "../base/did-you-mean.ts";
import { kinds } from "./kinds.ts";
import { quote } from "./shape.ts";

const NOT_YET = ["Sidecar", "EnvoyFilter", "WorkloadGroup", "ProxyConfig", "Telemetry", "WasmPlugin", "TrafficExtension"];

/** What to say of a document whose kind is not read. */
export function explainUnknownKind(
  apiVersion: string,
  kind: string,
): { readonly message: string; readonly help?: string; readonly severity?: "info" } {
  const named = `${quote(kind)} of ${quote(apiVersion)}`;
  if (apiVersion.includes(".istio.io/") && NOT_YET.includes(kind)) return { message: `kind ${named} is not honoured yet, and is skipped` };
  if (apiVersion.startsWith("kumiko.dev/") && kind === "MeshTest")
    return { message: "a MeshTest is no part of the mesh, and is skipped", help: "run it: kumiko test", severity: "info" };
  const sameKind = kinds.find((known) => known.kind === kind);
  if (sameKind !== undefined) {
    const versions = sameKind.versions.map((version) => (sameKind.group === "" ? version : `${sameKind.group}/${version}`));
    return { message: `kind ${named} is not known, and is skipped`, help: `write apiVersion: ${versions.join(" or ")}` };
  }
  const isOfKubernetes = /\.k8s\.io\/|^(apps|batch|autoscaling|policy|extensions)\/|^v1$/.test(apiVersion);
  const meant = didYouMean(
    kind,
    kinds.map((known) => known.kind),
  );
  if (meant !== undefined) return { message: `kind ${named} is not known, and is skipped`, help: `did you mean ${meant}?` };
  if (isOfKubernetes) return { message: `kind ${named} has an effect on Kubernetes only, and is skipped`, severity: "info" };
  return { message: `kind ${named} is not known, and is skipped` };
}
