export const TYPE = "crash.numbered.v1";
export const GROUP = "crash-test";
