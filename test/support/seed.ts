/**
 * For tests of properties: what they try is the same at each run, so that a run without a change has the outcome of the one
 * before. `npm run prove` tries something else each time; what fails there is replayed with its seed.
 */
import fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env.ROOST_SEED ?? 1) });
