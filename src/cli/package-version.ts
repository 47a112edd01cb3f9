import { readFileSync } from "node:fs";

/** The version in package.json, which lies two folders up both from src/cli and from dist/cli. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { readonly version: string };
  return version;
}

export function versionLine(): string {
  return `kumiko ${packageVersion()}`;
}
