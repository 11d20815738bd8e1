/** A launcher for tests: brings a stack up in the directory it is given, says so in one JSON line, and stays. */
import { bringUp } from "../../stack/index.ts";

const stack = await bringUp({ topology: "single", dataDir: process.argv[2] ?? "" });
console.log(JSON.stringify({ servers: stack.servers.map(({ name, pid }) => ({ name, pid })) }));
setInterval(() => {}, 60_000);
