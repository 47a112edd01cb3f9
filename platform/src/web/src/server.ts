import { addHealth, createServer, Problem, type ServerOptions } from "@platform/service-kit";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type OidcSettings } from "./page/oidc.ts";
import { type Language, preferredLanguage, type TextKey, textOf } from "./page/text.ts";
import { type PageFile, pageFile, readPageFiles } from "./page-files.ts";

/** Serves the page: its document in the language that is asked for, its files, and what it has to know of the identity provider. */
export function createWebServer(settings: OidcSettings, options: Omit<ServerOptions, "name">): FastifyInstance {
  const server = createServer({ ...options, name: "web" });
  const files = readPageFiles();
  const page = inBothLanguages(files.get("index.html")?.body ?? "");
  const missing = inBothLanguages(files.get("missing.html")?.body ?? "");
  const config = pageFile("application/json", JSON.stringify(settings));
  const headers = securityHeaders(settings);
  server.addHook("onRequest", async (_, reply) => void reply.headers(headers));
  addHealth(server, {});
  server.get("/", async (request, reply) => {
    reply.header("vary", "accept-language");
    return answer(request, reply, page[languageOf(request)]);
  });
  server.get("/config.json", async (request, reply) => answer(request, reply, config));
  server.get<{ Params: { name: string } }>("/assets/:name", async (request, reply) => {
    const file = request.params.name.endsWith(".html") ? undefined : files.get(request.params.name);
    if (file === undefined) throw new Problem(404, "Not found");
    return answer(request, reply, file);
  });
  // A page for a person who came by a wrong link; nothing of a path stands in it.
  server.get("/*", async (request, reply) => {
    const { type, body } = missing[languageOf(request)];
    return reply.code(404).header("vary", "accept-language").type(type).send(body);
  });
  return server;
}

/** A document in each language, with the texts that its elements name. */
function inBothLanguages(document: string): Readonly<Record<Language, PageFile>> {
  const inLanguage = (language: Language) => {
    const text = document
      .replace('<html lang="en">', `<html lang="${language}">`)
      .replaceAll(/( data-text="([\w-]+)">)(?=<)/g, (_, tag: string, key: string) => tag + textOf(language, key as TextKey));
    return pageFile("text/html; charset=utf-8", text);
  };
  return { en: inLanguage("en"), ja: inLanguage("ja") };
}

function languageOf({ headers }: FastifyRequest): Language {
  return preferredLanguage((headers["accept-language"] ?? "").split(","));
}

function answer(request: FastifyRequest, reply: FastifyReply, file: PageFile): FastifyReply {
  // Asked for anew each time, and answered with 304 until a new version is there: all files are of one version.
  reply.headers({ "cache-control": "no-cache", etag: file.etag });
  if (request.headers["if-none-match"] === file.etag) return reply.code(304).send();
  return reply.type(file.type).send(file.body);
}

/** The page runs its own scripts only, and speaks to its own host and the identity provider only. */
function securityHeaders({ identityProvider }: OidcSettings): Readonly<Record<string, string>> {
  const policy = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "media-src": "blob:",
    "connect-src": `'self' ${identityProvider}`,
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    // No text becomes HTML or code, by mistake either.
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
  };
  return {
    "content-security-policy": Object.entries(policy)
      .map(([name, value]) => `${name} ${value}`)
      .join("; "),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
  };
}
