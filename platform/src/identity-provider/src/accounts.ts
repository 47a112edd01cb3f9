import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import * as z from "zod";
import { type Account, type Accounts, findDemoUser, type Registration, RegistrationError } from "./account.ts";
import { type Attempts, createAttempts } from "./attempts.ts";
import { hashPassword, isPassword } from "./password.ts";

const Registered = z.object({
  sub: z.string(),
  name: z.string(),
  email: z.string(),
  role: z.literal("user"),
  password: z.object({ salt: z.string(), hash: z.string() }),
});
type Registered = z.output<typeof Registered>;

const Fields = z.object({
  user: z.string().regex(/^[a-z][a-z0-9-]{2,31}$/, "user name: 3 to 32 small letters, digits and hyphens, a letter first"),
  name: z.string().trim().min(1, "name: must not be empty").max(80, "name: at most 80 characters"),
  email: z.email("email: must be an address").max(320),
  password: z.string().min(12, "password: at least 12 characters").max(128, "password: at most 128 characters"),
});

/** More than a demonstration needs, less than a file holds. */
const MAX_ACCOUNTS = 100_000;

/** Opens the accounts in `file`, which is made at the first registration; its owner's alone, with passwords as salted hashes. */
export function openAccounts(file: string, attempts: Attempts = createAttempts()): Accounts {
  const accounts = new Map((existsSync(file) ? read(file) : []).map((account) => [account.sub, account]));
  const taken = (sub: string) => findDemoUser(sub) !== undefined || accounts.has(sub);
  return {
    find: (sub) => findDemoUser(sub) ?? withoutPassword(accounts.get(sub)),
    async register(registration) {
      const { user: sub, name, email, password } = check(registration);
      if (taken(sub)) throw new RegistrationError(409, "user name: is taken");
      if (accounts.size >= MAX_ACCOUNTS) throw new RegistrationError(409, "there are too many accounts");
      const account: Registered = { sub, name, email, role: "user", password: await hashPassword(password) };
      // Looked at again: somebody else may have been faster meanwhile.
      if (taken(sub)) throw new RegistrationError(409, "user name: is taken");
      accounts.set(sub, account);
      write(file, [...accounts.values()]);
      return { sub, name, email, role: "user" };
    },
    async signIn(sub, password) {
      if (attempts.mustWait(sub)) return "wait";
      const account = accounts.get(sub);
      if (!(await isPassword(password, account?.password)) || account === undefined) {
        attempts.failed(sub);
        return "wrong";
      }
      attempts.succeeded(sub);
      return withoutPassword(account) ?? "wrong";
    },
  };
}

function check(registration: Registration): Registration {
  const result = Fields.safeParse(registration);
  if (result.success) return result.data;
  throw new RegistrationError(400, result.error.issues.map(({ message }) => message).join("; "));
}

function withoutPassword(account: Registered | undefined): Account | undefined {
  if (account === undefined) return undefined;
  const { sub, name, email, role } = account;
  return { sub, name, email, role };
}

function read(file: string): readonly Registered[] {
  return z.array(Registered).parse(JSON.parse(readFileSync(file, "utf8")));
}

/** Whole or not at all. */
function write(file: string, accounts: readonly Registered[]): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, `${JSON.stringify(accounts)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
