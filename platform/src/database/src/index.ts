export { type StandIn, startStandIn } from "./stand-in.ts";
