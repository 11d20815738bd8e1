import type { Second } from "./series.ts";

/** Something that happened during a run, and for how long; s since it began. */
export interface Mark {
  from: number;
  to: number;
  label: string;
}

const WIDTH = 960;
const LEFT = 64;
const RIGHT = 20;
const PANELS = {
  throughput: { top: 70, height: 150 },
  p99: { top: 262, height: 150 },
} as const;
const HEIGHT = 470;
const COLOURS = { throughput: "#2b6cb0", p99: "#c05621", failed: "#c53030", step: "#edf2f7", ink: "#2d3748" };

/**
 * Throughput and p99 over time, with the steps as shaded bands, and seconds in which a request failed as red dots: an SVG
 * that needs nothing else. Pure.
 */
export function plot(title: string, seconds: readonly Second[], marks: readonly Mark[]): string {
  const end = Math.max(1, seconds.length, ...marks.map(({ to }) => to));
  const x = (s: number) => round(LEFT + (s / end) * (WIDTH - LEFT - RIGHT));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="${COLOURS.ink}">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    `<text x="${LEFT}" y="24" font-size="15">${escapeXml(title)}</text>`,
    ...bands(marks, x),
    ...panel(
      "requests answered per second",
      PANELS.throughput,
      COLOURS.throughput,
      x,
      seconds,
      ({ answered }) => answered,
    ),
    ...panel("p99 latency, ms", PANELS.p99, COLOURS.p99, x, seconds, ({ p99 }) => p99),
    ...seconds
      .filter(({ failed }) => failed > 0)
      .map(
        ({ at }) =>
          `<circle cx="${x(at + 0.5)}" cy="${PANELS.throughput.top}" r="3" fill="${COLOURS.failed}"/>`,
      ),
    ...timeAxis(end, x),
    "</svg>",
    "",
  ].join("\n");
}

interface Panel {
  top: number;
  height: number;
}

function bands(marks: readonly Mark[], x: (s: number) => number): string[] {
  const bottom = PANELS.p99.top + PANELS.p99.height;
  return marks.flatMap(({ from, to, label }, i) => {
    const width = Math.max(1, round(x(to) - x(from)));
    return [
      `<rect x="${x(from)}" y="${PANELS.throughput.top}" width="${width}" height="${bottom - PANELS.throughput.top}" fill="${COLOURS.step}"/>`,
      // Neighbours would write over each other on one line.
      `<text x="${x(from)}" y="${i % 2 === 0 ? 46 : 60}" font-size="10">${escapeXml(label)}</text>`,
    ];
  });
}

function panel(
  label: string,
  { top, height }: Panel,
  colour: string,
  x: (s: number) => number,
  seconds: readonly Second[],
  amount: (second: Second) => number,
): string[] {
  const most = niceAbove(Math.max(0, ...seconds.map(amount)));
  const y = (value: number) => round(top + height * (1 - value / most));
  const points = seconds.map((second) => `${x(second.at + 0.5)},${y(amount(second))}`).join(" ");
  return [
    ...[0, most / 2, most].flatMap((value) => [
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value)}" y2="${y(value)}" stroke="#cbd5e0"/>`,
      `<text x="${LEFT - 8}" y="${round(y(value) + 4)}" text-anchor="end">${value}</text>`,
    ]),
    `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="1.5"/>`,
    `<text x="${LEFT}" y="${top + height + 16}" fill="${colour}">${escapeXml(label)}</text>`,
  ];
}

function timeAxis(end: number, x: (s: number) => number): string[] {
  const every = [1, 2, 5, 10, 20, 30, 60, 120, 300].find((step) => end / step <= 12) ?? 600;
  const y = PANELS.p99.top + PANELS.p99.height + 34;
  return Array.from({ length: Math.floor(end / every) + 1 }, (_, i) => i * every).map(
    (s) => `<text x="${x(s)}" y="${y}" text-anchor="middle">${s} s</text>`,
  );
}

/** The least of 1, 2 or 5 times a power of ten that is not below a value. */
export function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return [1, 2, 5, 10].map((step) => step * power).find((nice) => nice >= value) ?? 10 * power;
}

const round = (value: number): number => Math.round(value * 10) / 10;

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
