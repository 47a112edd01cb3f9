import type { Api, User } from "./api.ts";

/** What a view is given. */
export interface Signed {
  readonly api: Api;
  readonly profile: User;
  readonly accessToken: string;
  /** Shows the current view anew, and takes a changed profile. */
  readonly refresh: (profile?: User) => void;
  readonly onEnded: () => void;
}

/** What is shown under the page's heading. */
export interface View {
  readonly content: readonly Node[];
  /** Ends what runs on while it is shown. */
  readonly close?: () => void;
}
