import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from "node:fs";

const LAST_LINES = 12;

/** The size of a log file in bytes; 0 where there is none yet. */
export function sizeOf(file: string): number {
  return existsSync(file) ? statSync(file).size : 0;
}

/** What was written to a log file from an offset on. */
export function readFrom(file: string, offset: number): string {
  const handle = openSync(file, "r");
  try {
    const bytes = Buffer.alloc(Math.max(0, fstatSync(handle).size - offset));
    readSync(handle, bytes, 0, bytes.length, offset);
    return bytes.toString("utf8");
  } finally {
    closeSync(handle);
  }
}

/** The end of a log, indented. */
export function lastLines(text: string): string {
  return text
    .trimEnd()
    .split("\n")
    .slice(-LAST_LINES)
    .map((line) => `  ${line}`)
    .join("\n");
}
