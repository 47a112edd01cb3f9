import { quote } from "../../base/shell.ts";
import { diagnostic, type Diagnostic } from "../../model/diagnostic.ts";
import type { JsonPath, SourcePosition } from "../../model/position.ts";
import type { Source } from "./item.ts";
import type { Fields } from "./values.ts";

/** A kustomization or component as its file says it. */
export interface Layer {
  /** Its file. */
  readonly file: string;
  readonly folder: string;
  readonly isComponent: boolean;
  readonly value: Fields;
  readonly source: Source;
  readonly locate: (path: JsonPath) => SourcePosition;
}

/** Collects what stands in the way of a rendering; with any of it there is none. */
export type Refuse = (diagnostic: Diagnostic) => void;

/** What can be rendered only by kustomize itself. */
export function beyond({ folder, locate }: Layer, path: JsonPath, what: string): Diagnostic {
  return diagnostic("KMK0007", {
    message: `${what} is beyond what is rendered without kustomize, so that nothing of ${folder} is read`,
    help: `install kustomize or kubectl, or read what it makes: ${command(folder)}`,
    position: locate(path),
  });
}

/** What is not on this machine: nothing is fetched, whoever renders. */
export function remote({ folder, locate }: Layer, path: JsonPath, name: string): Diagnostic {
  const message = `${name} would have to be fetched, which is not done, so that nothing of ${folder} is read`;
  return diagnostic("KMK0007", { message, help: `read what it makes: ${command(folder)}`, position: locate(path) });
}

/** What kustomize would refuse, too. */
export function mistaken({ folder, locate }: Layer, path: JsonPath, message: string): Diagnostic {
  return diagnostic("KMK0007", { message, help: `see what kustomize says: kustomize build ${quote(folder)}`, position: locate(path) });
}

function command(folder: string): string {
  return `kustomize build ${quote(folder)} > FILE.yaml`;
}
