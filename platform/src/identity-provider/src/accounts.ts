import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import * as z from "zod";
import { type Account, type Accounts, findDemoUser, type Registration, RegistrationError } from "./account.ts";
import { type Attempts, createAttempts } from "./attempts.ts";
import { hashPassword, isPassword } from "./password.ts";
import type { TextKey } from "./text.ts";

const Registered = z.object({
  sub: z.string(),
  name: z.string(),
  email: z.string(),
  role: z.literal("user"),
  password: z.object({ salt: z.string(), hash: z.string() }),
});
type Registered = z.output<typeof Registered>;

const text = (key: TextKey) => key;
/** Each says by a text's key what is wrong. */
const Fields = z.object({
  user: z.string().regex(/^[a-z][a-z0-9-]{2,31}$/, text("userWrong")),
  name: z.string().trim().min(1, text("nameEmpty")).max(80, text("nameLong")),
  email: z.email(text("emailWrong")).max(320, text("emailWrong")),
  password: z.string().min(12, text("passwordShort")).max(128, text("passwordLong")),
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
      if (taken(sub)) throw new RegistrationError(409, ["userTaken"]);
      if (accounts.size >= MAX_ACCOUNTS) throw new RegistrationError(409, ["tooMany"]);
      const account: Registered = { sub, name, email, role: "user", password: await hashPassword(password) };
      // Looked at again: somebody else may have been faster meanwhile.
      if (taken(sub)) throw new RegistrationError(409, ["userTaken"]);
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
  throw new RegistrationError(
    400,
    result.error.issues.map(({ message }) => message as TextKey),
  );
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
