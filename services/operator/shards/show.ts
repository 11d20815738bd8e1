import type { MoveEvent } from "./moving.ts";

const BAR = 24;

/** What a step is about, for people. */
const MEANS: Record<MoveEvent["step"], string> = {
  prepare: "preparing",
  announce: "announcing",
  publish: "publishing",
  copy: "copying",
  compare: "comparing",
  fence: "waiting for a moment to cut over",
  marker: "writers wait",
  decide: "writers wait: all has arrived",
  decided: "decided",
  "compare-exactly": "comparing what can no longer change",
  unsubscribe: "ending replication",
  unpublish: "ending replication on the source",
  clean: "deleting the source's rows",
  "take-back": "taking it back",
  ended: "ended",
};

/** A step in words, and how far it is. */
export function describeEvent(event: MoveEvent): { step: string; detail: string } {
  const { step, note, rows, of, bytes, lagBytes, lagMs, pauseMs } = event;
  const detail = [
    rows !== undefined && of ? bar(rows / of) : "",
    rows === undefined ? "" : `${count(rows)}${of ? `/${count(of)}` : ""} rows`,
    bytes ? size(bytes) : "",
    note ?? "",
    lagBytes === undefined ? "" : `${size(lagBytes)} behind`,
    lagMs === undefined ? "" : `${Math.round(lagMs)} ms behind`,
    pauseMs === undefined ? "" : `writers waited ${Math.round(pauseMs)} ms`,
  ];
  return { step: MEANS[step], detail: detail.filter(Boolean).join(", ") };
}

/** `part` of 1, as far as it is known: what is expected is an estimate. */
function bar(part: number): string {
  const full = Math.round(Math.min(1, part) * BAR);
  return `${"█".repeat(full)}${"░".repeat(BAR - full)}`;
}

/** Bytes for people. */
export function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

/** A number for people. */
export const count = (n: number): string => n.toLocaleString("en");
