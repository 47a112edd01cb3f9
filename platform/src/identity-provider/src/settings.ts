/** The `iss` of every token, and the name under which the mesh knows this provider. */
export const ISSUER = "https://idp.platform.internal";

/** What the services' tokens are for (`aud`). */
export const AUDIENCE = "platform";

/** The resource indicator (RFC 8707) that stands for that audience. */
export const RESOURCE = "https://user.example.com";

/** The command line's client: public, with PKCE. It reads the code from the redirect itself, so nobody listens there. */
export const CLI_CLIENT = "platform-cli";
export const CLI_REDIRECT = "http://127.0.0.1/callback";

/** The page's client: public, with PKCE. */
export const WEB_CLIENT = "platform-web";

/** Where the page is: under the platform's own name, and on a developer's machine under one that browsers find there, at the edge's port. */
export function webPages(edgePort: number): readonly string[] {
  return ["https://user.example.com/", `https://user.localhost:${edgePort}/`];
}
