import type { CheckSettings } from "../mesh/authorizers.ts";
import type { Origin } from "../model/origin.ts";
import type { StringMatch } from "./match.ts";

/** Who is asked about a request before it goes on. */
export interface ExternalAuthorizer extends CheckSettings<StringMatch> {
  readonly cluster: string;
  /** The host that it is asked under. */
  readonly authority: string;
  readonly origin: readonly Origin[];
}
