export { startNats } from "./nats-rig.ts";
export { isMissing, type Missing, noLog, type Rig } from "./rig.ts";
