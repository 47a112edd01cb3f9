import type { SigningKeys } from "@platform/setup";
import { errors, type JWKS, Provider } from "oidc-provider";
import { findDemoUser } from "./demo-users.ts";
import { AUDIENCE, CLI_CLIENT, CLI_REDIRECT, ISSUER, RESOURCE } from "./settings.ts";

export interface ProviderOptions {
  readonly signingKeys: SigningKeys;
  readonly accessTokenTtlSeconds: number;
}

/**
 * An OpenID Connect provider with the demo users. Access tokens are JWTs (RFC 9068) of audience `platform` that carry the claim `role`,
 * as Keycloak, Auth0 and Cognito can be set to give them.
 */
export function createProvider({ signingKeys, accessTokenTtlSeconds }: ProviderOptions): Provider {
  return new Provider(ISSUER, {
    jwks: { keys: signingKeys.keys } as unknown as JWKS,
    cookies: { keys: [signingKeys.cookieSecret] },
    enabledJWA: { idTokenSigningAlgValues: ["ES256"] },
    clientDefaults: { id_token_signed_response_alg: "ES256" },
    clients: [
      {
        client_id: CLI_CLIENT,
        // Not "native": such a client would have to ask for consent each time.
        application_type: "web",
        redirect_uris: [CLI_REDIRECT],
        grant_types: ["authorization_code"],
        response_types: ["code"],
        token_endpoint_auth_method: "none",
      },
    ],
    pkce: { required: () => true },
    claims: { openid: ["sub", "role"], profile: ["name"], email: ["email"] },
    findAccount: (_, sub) => {
      const user = findDemoUser(sub);
      return user === undefined ? undefined : { accountId: sub, claims: () => ({ ...user }) };
    },
    extraTokenClaims: (_, token) => {
      const user = "accountId" in token ? findDemoUser(token.accountId) : undefined;
      return user === undefined ? undefined : { role: user.role, name: user.name, email: user.email };
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
    features: {
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
            accessTokenTTL: accessTokenTtlSeconds,
            jwt: { sign: { alg: "ES256" } },
          };
        },
      },
    },
    ttl: { AccessToken: accessTokenTtlSeconds, Session: 3_600, Interaction: 600, Grant: 3_600, AuthorizationCode: 60, IdToken: 3_600 },
  });
}
