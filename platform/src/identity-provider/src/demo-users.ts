import type { Account } from "./account.ts";

/** They sign in by their name: there is nothing behind them to protect. */
export const demoUsers: readonly Account[] = [
  { sub: "alice", name: "Alice Aoki", email: "alice@example.com", role: "user" },
  { sub: "bob", name: "Bob Baba", email: "bob@example.com", role: "admin" },
  { sub: "carol", name: "Carol Chiba", email: "carol@example.com", role: "user" },
];
