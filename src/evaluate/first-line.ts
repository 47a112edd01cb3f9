import type { HttpMessage } from "./http-message.ts";

/** The methods that Envoy's HTTP/1 codec takes. */
const METHODS = new Set(
  (
    "ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY OPTIONS PATCH POST " +
    "PROPFIND PROPPATCH PURGE PUT REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE"
  ).split(" "),
);

export function isMethod(method: string): boolean {
  return METHODS.has(method);
}

/** Of HTTP/1: a path, `*…`, or a scheme with a host, in visible ASCII characters. */
const TARGET = /^(?:[/*]|[A-Za-z][A-Za-z0-9+.-]*:\/\/)[!-~]*$/;
/** Of HTTP/2: whatever needs no escape, and what is no ASCII. */
const PATH = /^[!-~\u0080-\u{10ffff}]*$/u;

/** Whether a codec takes the target of a request. */
export function isTarget({ version, path }: HttpMessage): boolean {
  return version === "http2" ? PATH.test(path) : TARGET.test(path);
}

/** Whether the first bytes of a request are known for HTTP by who doesn't know what comes: HTTP/2 by its preface, HTTP/1 by its first line, whatever the method. */
export function looksLikeHttp(message: HttpMessage): boolean {
  return message.version === "http2" || isTarget(message);
}
