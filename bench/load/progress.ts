import { Presets, SingleBar } from "cli-progress";

const LINE_EVERY_MS = 5_000;

/** Shows how far a phase is. */
export interface Progress {
  /** `value` of the total is done; `note` says how it goes. */
  update(value: number, note?: string): void;
  /** The last word. */
  end(): void;
}

/**
 * A bar on a terminal; elsewhere a line every few seconds and one at the end.
 * @param total of whatever `unit` names
 */
export function showProgress(phase: string, total: number, unit: string): Progress {
  return process.stdout.isTTY ? bar(phase, total, unit) : lines(phase, total, unit);
}

function bar(phase: string, total: number, unit: string): Progress {
  const shown = new SingleBar(
    {
      format: `${phase.padEnd(14)} {bar} {value}/{total} ${unit}  {duration_formatted}  {note}`,
      stream: process.stdout,
      hideCursor: true,
      barsize: 30,
    },
    Presets.shades_classic,
  );
  shown.start(total, 0, { note: "" });
  return {
    update: (value, note = "") => shown.update(value, { note }),
    end: () => shown.stop(),
  };
}

function lines(phase: string, total: number, unit: string): Progress {
  const startedAt = Date.now();
  let saidAt = startedAt;
  let state = { value: 0, note: "" };
  const say = () => {
    const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
    console.log(`${phase}: ${state.value}/${total} ${unit}, ${seconds} s${state.note && `, ${state.note}`}`);
    saidAt = Date.now();
  };
  return {
    update(value, note = "") {
      state = { value, note };
      if (value < total && Date.now() - saidAt >= LINE_EVERY_MS) say();
    },
    end: say,
  };
}
