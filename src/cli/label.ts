import { MeshError } from "../model/error.ts";

/** Reads `KEY=VALUE`. @throws MeshError `usage` */
export function splitLabel(text: string): readonly [key: string, value: string] {
  const at = text.indexOf("=");
  if (at <= 0) throw new MeshError("usage", `"${text}" is not KEY=VALUE`, { help: "write it as in: --label app=legacy" });
  return [text.slice(0, at), text.slice(at + 1)];
}
