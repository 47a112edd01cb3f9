import { MeshError } from "../model/error.ts";

/** `0.0.0.0:15012`, `[::]:15012`. @throws MeshError `usage` for anything else. */
export function parseHostPort(text: string, option: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || !(port <= 65_535))
    throw new MeshError("usage", `"${text}" is not HOST:PORT`, { help: `write it as in: ${option} 0.0.0.0:15012` });
  return { host, port };
}
