import { hash } from "node:crypto";
import { readFileSync } from "node:fs";

const LIBRARY = new URL("./lua/", import.meta.url);

/**
 * A Lua script, loaded from a file whose header states KEYS, ARGV and result. Lines `--@include NAME` take in
 * mixins/redis/lua/NAME.lua.
 */
export class Script {
  readonly lua: string;
  readonly sha: string;

  constructor(file: URL) {
    this.lua = readFileSync(file, "utf8").replace(/^--@include (\S+)$/gm, (_, name: string) =>
      readFileSync(new URL(`${name}.lua`, LIBRARY), "utf8"),
    );
    this.sha = hash("sha1", this.lua, "hex");
  }
}
