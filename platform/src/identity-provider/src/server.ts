import { createServer, type Server } from "node:https";
import type { Credential } from "@platform/setup";
import { createProvider, type ProviderOptions } from "./provider.ts";
import { answerEnded, answerSignIn, isSignIn } from "./sign-in-page.ts";

/** The provider over HTTPS. */
export function createIdentityProvider(
  options: ProviderOptions & { readonly credential: Pick<Credential, "certificate" | "key"> },
): Server {
  const provider = createProvider(options);
  const answer = provider.callback();
  return createServer({ cert: options.credential.certificate, key: options.credential.key, minVersion: "TLSv1.2" }, (request, response) => {
    if (!isSignIn(request)) return void answer(request, response);
    answerSignIn({ provider, accounts: options.accounts }, request, response).catch(() => {
      if (response.headersSent) return void response.destroy();
      answerEnded(request, response);
    });
  });
}
