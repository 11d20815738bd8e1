import { type ParseArgsConfig, parseArgs } from "node:util";

/** A mistake on the command line, in one line. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** Node's parseArgs. Throws UsageError where it would throw. */
export function readCommandLine<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    const message = Error.isError(error) ? error.message : String(error);
    throw new UsageError(message.split(/\. |\.?\n/)[0]);
  }
}
