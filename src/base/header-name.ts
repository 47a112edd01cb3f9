/** A token of RFC 9110, section 5.6.2: what a header, method or cookie may be called. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Whether a request can have a header, or a cookie, of that name. HTTP/2's own, with a colon at the head, are none. */
export function isHeaderName(text: string): boolean {
  return TOKEN.test(text);
}
