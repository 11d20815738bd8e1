import { hash } from "node:crypto";
import { readFileSync } from "node:fs";

const LIBRARY = new URL("./lua/", import.meta.url);

/** A script as Redis gets it, and the name by which it knows it from then on. */
export interface Source {
  lua: string;
  sha: string;
}

/**
 * A Lua script, loaded from a file whose header states KEYS, ARGV and result. Lines `--@include NAME` take in
 * mixins/redis/lua/NAME.lua. `CLUSTERED` tells it whether it runs in a Redis Cluster.
 */
export class Script {
  readonly alone: Source;
  readonly clustered: Source;

  constructor(file: URL) {
    const text = readFileSync(file, "utf8").replace(/^--@include (\S+)$/gm, (_, name: string) =>
      readFileSync(new URL(`${name}.lua`, LIBRARY), "utf8"),
    );
    this.alone = sourceOf(`local CLUSTERED = false\n${text}`);
    this.clustered = sourceOf(`local CLUSTERED = true\n${text}`);
  }
}

function sourceOf(lua: string): Source {
  return { lua, sha: hash("sha1", lua, "hex") };
}
