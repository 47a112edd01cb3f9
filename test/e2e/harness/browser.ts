import { createHash, X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Locator, type Page } from "playwright-core";
import { expect } from "vitest";
import type { Platform } from "./platform.ts";

const CHROMIUM = "/usr/bin/chromium";
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/**
 * Why tests in a browser can't run here; undefined where they can.
 * @throws in CI, where all of them must.
 */
export function whyNoBrowser(): string | undefined {
  if (existsSync(CHROMIUM)) return undefined;
  const reason = `no browser here: apt-get install chromium (${CHROMIUM})`;
  if (process.env["CI"] !== undefined) throw new Error(reason);
  return reason;
}

/** A browser that trusts the platform's edge and identity provider, by their keys, and nobody else whom the system doesn't. */
export async function openBrowser(platform: Platform): Promise<Browser> {
  const keys = ["edge", "identity-provider"].map((name) => {
    const { publicKey } = new X509Certificate(readFileSync(join(platform.dir, `.kumiko/platform/tls/${name}.pem`)));
    return createHash("sha256")
      .update(publicKey.export({ type: "spki", format: "der" }))
      .digest("base64");
  });
  return await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", `--ignore-certificate-errors-spki-list=${keys.join(",")}`],
  });
}

/** Somebody's window, with a storage of its own. */
export interface Window {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Requests to the API so far: method and path. */
  readonly calls: readonly string[];
  /** What the page did wrong: exceptions, and what its policy forbade. */
  readonly faults: readonly string[];
}

export async function openWindow(browser: Browser, options: Parameters<Browser["newContext"]>[0] = {}): Promise<Window> {
  const context = await browser.newContext({ locale: "en-GB", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const calls: string[] = [];
  const faults: string[] = [];
  page.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.startsWith("/api/")) calls.push(`${request.method()} ${pathname}`);
  });
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (message) => {
    if (/Content Security Policy|TrustedHTML|Trusted Type/i.test(message.text())) faults.push(message.text());
  });
  page.on("dialog", (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return { page, context, calls, faults };
}

/** Waits until it is seen. */
export async function expectShown(locator: Locator, timeoutMs = 20_000): Promise<void> {
  await locator.waitFor({ timeout: timeoutMs });
}

/** Checks what is shown by axe's rules for WCAG 2.2 A and AA, and its best practices. */
export async function expectAccessible(page: Page): Promise<void> {
  await page.evaluate(readFileSync(AXE, "utf8"));
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const found = (await page.evaluate(`axe.run(document, { runOnly: ${JSON.stringify(tags)} })`)) as {
    violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
    passes: unknown[];
  };
  expect(
    found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("; ")}`),
  ).toEqual([]);
  expect(found.passes.length).toBeGreaterThan(10);
}
