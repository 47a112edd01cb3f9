export type { Account, Accounts, Registration } from "./account.ts";
export { openAccounts } from "./accounts.ts";
export { demoUsers } from "./demo-users.ts";
export { mintToken, type MintOptions } from "./mint.ts";
export { createIdentityProvider } from "./server.ts";
export { AUDIENCE, ISSUER } from "./settings.ts";
export { signIn, type SignInOptions } from "./sign-in.ts";
