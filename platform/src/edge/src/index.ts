export { type ForwarderSettings, startForwarder } from "./forwarder.ts";
export { edgeNames } from "./names.ts";
export { type RunningNginx, startNginx } from "./nginx.ts";
export { type EdgeName, type NginxSettings, toNginxConfig, toRulesFile } from "./nginx-config.ts";
export { type EdgePrograms, findEdgePrograms, PACKAGES } from "./programs.ts";
