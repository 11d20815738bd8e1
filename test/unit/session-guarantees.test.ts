import fc from "fast-check";
import {
  chooseReplica,
  LOOK_GOOD_FOR_MS,
  MARGIN_MS,
  Positions,
  type Standing,
  standingAfter,
} from "../../mixins/shard-db/rotation.ts";
import { SessionView } from "../../mixins/shard-db/session.ts";
import "../support/seed.ts";

const MAX_LAG_MS = 3_000;
const REPLICAS = 3;
const START = 100_000;

/** A process that serves sessions: it knows of the servers only what it saw when it looked at them, whenever that was. */
class Process {
  readonly #positions = new Positions(MAX_LAG_MS);
  #seats = Array.from({ length: REPLICAS }, (_, i) => ({
    lookedAt: -Infinity,
    standing: standing(`r:${i}`),
  }));

  lookAtPrimary(now: number, position: number): void {
    this.#positions.add(now, position);
  }

  lookAtReplica(now: number, i: number, replayed: number): void {
    const { standing } = this.#seats[i] ?? { standing: undefined };
    if (!standing) return;
    const positions = this.#positions;
    this.#seats[i] = {
      lookedAt: now,
      standing: standingAfter(standing, { now, maxLagMs: MAX_LAG_MS, replayed, positions }),
    };
  }

  choose(now: number, view: SessionView) {
    const standings = this.#seats.map(({ lookedAt, standing }, i) => {
      const isOld = standing.inRotation && now - lookedAt > LOOK_GOOD_FOR_MS;
      return { ...standing, i, ...(isOld ? { inRotation: false, changedAt: now } : {}) };
    });
    const floor = { seen: view.floor("s0"), timeline: 1, movedAt: 0 };
    return chooseReplica(view.key, standings, floor, { now, settleMs: MAX_LAG_MS + MARGIN_MS });
  }
}

function standing(address: string): Standing {
  return { address, inRotation: false, changedAt: START, freshAsOf: START, replayed: 0, lagBytes: 0 };
}

type Step =
  | { do: "wait"; ticks: number }
  | { do: "write" | "read"; session: number; at: number }
  | { do: "stall" | "trail"; replica: number };

/** ms; the processes look in turn, each at every second tick. */
const TICK_MS = 125;
/** How far a replica that trails is behind. */
const TRAILING_TICKS = 12;

const replica = fc.nat(REPLICAS - 1);
const session = fc.nat(2);
const at = fc.nat(1);
const ticks = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 8 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 80 }) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("wait" as const), ticks }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("write" as const), session, at }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("read" as const), session, at }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("stall" as const, "trail" as const), replica }) },
);

/** Plays a history, in which somebody else writes all the time. Returns what each read saw, and what it had to see at least. */
function play(steps: Step[]): { saw: number; atLeast: number; byReplica: boolean }[] {
  let tick = 0;
  let written = 1;
  const past: number[] = [];
  const replayed = new Array<number>(REPLICAS).fill(1);
  const stalled = new Set<number>();
  const trailing = new Set([0]);
  const processes = [new Process(), new Process()] as const;
  /** What Redis has of each session: the same for all processes. */
  const seen: Record<string, string>[] = [{}, {}, {}];
  const least = [0, 0, 0];
  const reads: ReturnType<typeof play> = [];
  const pass = () => {
    past.push(++written);
    replayed.forEach((before, i) => {
      const position = trailing.has(i) ? (past.at(-TRAILING_TICKS) ?? 1) : written;
      if (!stalled.has(i)) replayed[i] = Math.max(before, position);
    });
    const now = START + tick * TICK_MS;
    const looker = processes[tick % 2 ? 1 : 0];
    looker.lookAtPrimary(now, written);
    for (const [i, position] of replayed.entries()) looker.lookAtReplica(now, i, position);
    tick++;
  };
  for (let i = 0; i < 80; i++) pass();
  for (const each of steps) {
    if (each.do === "wait") for (let i = 0; i < each.ticks; i++) pass();
    if (each.do === "stall" && !stalled.delete(each.replica)) stalled.add(each.replica);
    if (each.do === "trail" && !trailing.delete(each.replica)) trailing.add(each.replica);
    if (each.do !== "read" && each.do !== "write") continue;
    const view = new SessionView({
      key: `user ${each.session}`,
      seen: seen[each.session] ?? {},
      isNew: false,
    });
    const reached = (position: number) => view.reached("s0", { timeline: 1, position });
    if (each.do === "write") {
      written++;
      reached(written);
      least[each.session] = written;
    } else {
      const choice = processes[each.at === 0 ? 0 : 1].choose(START + tick * TICK_MS, view);
      const own = "replica" in choice ? (replayed[choice.replica.i] ?? 0) : 0;
      const byReplica = "replica" in choice && own >= (choice.unlessBelow ?? 0);
      const saw = byReplica ? own : written;
      if (!byReplica || choice.marks) reached(saw);
      reads.push({ saw, atLeast: least[each.session] ?? 0, byReplica });
      least[each.session] = Math.max(least[each.session] ?? 0, saw);
    }
    seen[each.session] = { ...seen[each.session], ...view.news };
  }
  return reads;
}

describe("whatever replicas do and whenever two processes look at them", () => {
  it("a session sees what it wrote, and never less than it has seen before", () => {
    let byReplicas = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 100, size: "max" }), (steps) => {
        for (const { saw, atLeast, byReplica } of play(steps)) {
          if (saw < atLeast) throw new Error(`saw ${saw}, after ${atLeast}`);
          if (byReplica) byReplicas++;
        }
      }),
      { numRuns: 500 },
    );
    expect(byReplicas).toBeGreaterThan(1_000);
  });
});
