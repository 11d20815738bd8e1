import type { FollowGraph } from "../bulk/graph.ts";
import type { BenchResult } from "../result.ts";
import type { PullCosts, PushCosts } from "./calibrate.ts";
import { type Cost, totalMs } from "./cost.ts";
import { predict } from "./predict.ts";
import type { Operation } from "./workload.ts";

/** What came of one variant: the cost of each round, and who was pulled in the end. */
export interface Variant {
  policy: string;
  costs: Cost[];
  pulled: ReadonlySet<number>;
}

/** The result of a run: the variant "cost" beside the cheapest of the others, by the middle of the rounds' ratios. Pure. */
export function resultOf(
  graph: FollowGraph,
  operations: Operation[],
  unit: PushCosts & PullCosts,
  variants: Variant[],
): BenchResult {
  const table = variants.map((variant) => rowOf(graph, operations, unit, variant));
  const middle = ({ costs }: Variant) => median(costs.map(totalMs));
  const ours = variants.find(({ policy }) => policy === "cost");
  const [cheapest] = variants.filter((variant) => variant !== ours).sort((a, b) => middle(a) - middle(b));
  if (!cheapest || !ours) throw new RangeError("a result without variants");
  const ratios = ours.costs.map((cost, round) => totalMs(cost) / totalMs(cheapest.costs[round] ?? cost));
  return {
    bench: "policy",
    value: Math.round(middle(ours)),
    unit: "ms of CPU",
    floor: Math.round(middle(cheapest)),
    ratio: rounded(median(ratios)),
    detail: {
      people: graph.people,
      follows: graph.follower.length,
      operations: operations.length,
      tweets: operations.filter(({ tweets }) => tweets).length,
      cheapest: cheapest.policy,
      ratios: ratios.map(rounded),
      unitCostsMicros: Object.fromEntries(
        Object.entries(unit).map(([name, micros]) => [name, rounded(micros)]),
      ),
      variants: table,
    },
  };
}

function rowOf(
  graph: FollowGraph,
  operations: Operation[],
  unit: PushCosts & PullCosts,
  { policy, costs, pulled }: Variant,
) {
  const readers = new Set(operations.flatMap(({ who, tweets }) => (tweets ? [] : who)));
  const tweets = operations.filter((operation) => operation.tweets).length;
  const base = tweets * unit.write + (operations.length - tweets) * unit.read;
  const { micros, ...counts } = predict(graph, operations, readers, pulled);
  const of = (part: keyof Cost) => Math.round(median(costs.map((cost) => cost[part])));
  return {
    policy,
    pulledAuthors: pulled.size,
    predicted: { ms: Math.round((base + micros) / 1_000), ...counts },
    measured: {
      ms: Math.round(median(costs.map(totalMs))),
      rounds: costs.map((cost) => Math.round(totalMs(cost))),
      redisCommands: of("redisCommands"),
      redisMs: of("redisMs"),
      serviceMs: of("serviceMs"),
      postgresMs: of("postgresMs"),
    },
  };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[(values.length - 1) >> 1] ?? Number.NaN;
}

const rounded = (value: number): number => Number(value.toPrecision(3));
