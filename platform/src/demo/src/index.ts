export { MESSAGES_PER_ROOM } from "./catalogue.ts";
export { checkAcknowledged, type Checked, LOBBY, newestOf } from "./check.ts";
export { type Gateway, openGateway } from "./gateway.ts";
export { type LoadParts, type LoadResult, markOf, runLoad } from "./load.ts";
export { createSignIns, type SignIns } from "./members.ts";
export { type LoadSettings, type Shares, usualShares } from "./plan.ts";
export { seed, type World } from "./seed.ts";
export { checkedLines, toTable } from "./table.ts";
export type { Failure, FlowResult } from "./tally.ts";
