import * as fc from "fast-check";

/** One seed for every run, so that a test never fails by chance; another one by KUMIKO_SEED, to look further. */
fc.configureGlobal({ seed: Number(process.env["KUMIKO_SEED"] ?? 42) });

export { fc };
