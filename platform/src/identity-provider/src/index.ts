export { demoUsers, type DemoUser } from "./demo-users.ts";
export { mintToken, type MintOptions } from "./mint.ts";
export { createIdentityProvider } from "./server.ts";
export { AUDIENCE, ISSUER } from "./settings.ts";
export { signIn, type SignInOptions } from "./sign-in.ts";
