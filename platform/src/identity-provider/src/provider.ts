import type { SigningKeys } from "@platform/setup";
import { type ClientMetadata, type Configuration, errors, type JWKS, type KoaContextWithOIDC, Provider } from "oidc-provider";
import type { Accounts } from "./account.ts";
import { pageHeaders } from "./html-page.ts";
import { failurePage, signedOutPage, signOutPage } from "./pages.ts";
import { AUDIENCE, CLI_CLIENT, CLI_REDIRECT, ISSUER, RESOURCE, WEB_CLIENT } from "./settings.ts";
import { type Language, languageOf } from "./text.ts";

export interface ProviderOptions {
  readonly accounts: Accounts;
  readonly signingKeys: SigningKeys;
  readonly accessTokenTtlSeconds: number;
  /** Addresses of the page: it is sent back there, and nowhere else. */
  readonly webPages: readonly string[];
}

/**
 * An OpenID Connect provider. Access tokens are JWTs (RFC 9068) of audience `platform` that carry the claim `role`,
 * as Keycloak, Auth0 and Cognito can be set to give them.
 */
export function createProvider({ accounts, signingKeys, accessTokenTtlSeconds, webPages }: ProviderOptions): Provider {
  return new Provider(ISSUER, {
    jwks: { keys: signingKeys.keys } as unknown as JWKS,
    cookies: { keys: [signingKeys.cookieSecret] },
    enabledJWA: { idTokenSigningAlgValues: ["ES256"] },
    clientDefaults: { id_token_signed_response_alg: "ES256" },
    clients: toClients(webPages),
    // The page gets its tokens itself, from its own addresses only.
    clientBasedCORS: (_, origin, { clientId }) => clientId === WEB_CLIENT && webPages.some((page) => new URL(page).origin === origin),
    pkce: { required: () => true },
    claims: { openid: ["sub", "role"], profile: ["name"], email: ["email"] },
    findAccount: (_, sub) => {
      const account = accounts.find(sub);
      return account === undefined ? undefined : { accountId: sub, claims: () => ({ ...account }) };
    },
    extraTokenClaims: (_, token) => {
      const account = "accountId" in token ? accounts.find(token.accountId) : undefined;
      return account === undefined ? undefined : { role: account.role, name: account.name, email: account.email };
    },
    loadExistingGrant: async (ctx) => {
      // The platform's own clients need no consent.
      const { client, session, provider } = ctx.oidc;
      if (client === undefined || session?.accountId === undefined) return undefined;
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope("openid profile email");
      await grant.save();
      return grant;
    },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    // With the protocol's own words: whoever has to mend a client needs them.
    renderError: (ctx, out) =>
      show(ctx, (language) =>
        failurePage(
          language,
          undefined,
          Object.entries(out).map(([key, value]) => `${key}: ${String(value)}`),
        ),
      ),
    features: toFeatures(accessTokenTtlSeconds),
    ttl: { AccessToken: accessTokenTtlSeconds, Session: 3_600, Interaction: 600, Grant: 3_600, AuthorizationCode: 60, IdToken: 3_600 },
  });
}

/** Signing out by pages of our own, and access tokens for one audience. */
function toFeatures(accessTokenTTL: number): Configuration["features"] {
  return {
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: (ctx, form) => show(ctx, (language) => signOutPage(language, form)),
      postLogoutSuccessSource: (ctx) => show(ctx, signedOutPage),
    },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => RESOURCE,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => {
        if (resource !== RESOURCE) throw new errors.InvalidTarget();
        return {
          audience: AUDIENCE,
          scope: "",
          accessTokenFormat: "jwt",
          accessTokenTTL,
          jwt: { sign: { alg: "ES256" } },
        };
      },
    },
  };
}

/** Answers with a page in the language that the client or the browser asks for. */
function show(ctx: KoaContextWithOIDC, page: (language: Language) => string): void {
  ctx.set(pageHeaders);
  ctx.body = page(languageOf(ctx.oidc.params?.["ui_locales"], ctx.get("accept-language")));
}

/** Both are public, with PKCE: they have no secret. */
function toClients(webPages: readonly string[]): ClientMetadata[] {
  const common: Partial<ClientMetadata> = {
    // Not "native": such a client would have to ask for consent each time.
    application_type: "web",
    grant_types: ["authorization_code"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  };
  return [
    { ...common, client_id: CLI_CLIENT, redirect_uris: [CLI_REDIRECT] },
    { ...common, client_id: WEB_CLIENT, redirect_uris: [...webPages], post_logout_redirect_uris: [...webPages] },
  ];
}
