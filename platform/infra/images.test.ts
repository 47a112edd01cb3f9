import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const SOURCE = join(import.meta.dirname, "..", "src");
const images = readdirSync(SOURCE).filter((name) => existsSync(join(SOURCE, name, "Dockerfile")));

/** The platform's own packages that a package needs to run, itself included. */
function needed(name: string): readonly string[] {
  const { dependencies = {} } = JSON.parse(readFileSync(join(SOURCE, name, "package.json"), "utf8")) as {
    dependencies?: Record<string, string>;
  };
  const own = Object.keys(dependencies).filter((one) => one.startsWith("@platform/"));
  return [...new Set([name, ...own.flatMap((one) => needed(one.replace("@platform/", "")))])];
}

describe.each(images)("the image of %s", (name) => {
  const dockerfile = readFileSync(join(SOURCE, name, "Dockerfile"), "utf8");

  test("has all that the service needs, and of the rest only what npm wants to see", () => {
    expect(dockerfile).toContain("COPY --parents console/package.json platform/src/*/package.json ./\n");
    const copied = [...dockerfile.matchAll(/^COPY platform\/src\/(\S+) platform\/src\/\1$/gm)].map(([, folder]) => folder);
    expect(copied.toSorted()).toEqual([...needed(name)].toSorted());
    const installed = [...dockerfile.matchAll(/--workspace @platform\/(\S+)/g)].map(([, workspace]) => workspace);
    expect(installed.toSorted()).toEqual([...needed(name)].toSorted());
  });

  test("has no shell and no root, and starts the service", () => {
    const [, final = ""] = dockerfile.split(/^FROM .* AS dependencies$/m);
    expect(final).toMatch(/^FROM gcr\.io\/distroless\/nodejs24-debian12:nonroot$/m);
    expect(final).not.toMatch(/^USER (0|root)/m);
    expect(final).toContain(`CMD ["platform/src/${name}/src/main.ts"]`);
  });
});
