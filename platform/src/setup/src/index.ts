export { type Authority, type CertificateRequest, type Credential, openAuthority, readCredential } from "./certificates.ts";
export {
  brokerAdmin,
  brokerServices,
  brokerUserOf,
  databases,
  openPasswords,
  ownerOf,
  type Passwords,
  readPasswords,
  roleOf,
} from "./passwords.ts";
export { type Places, placesOf } from "./places.ts";
export { openSigningKeys, readSigningKeys, type SigningKeys } from "./signing-keys.ts";
export { BROKER_HOST, DATABASE_HOST, setUp } from "./set-up.ts";
