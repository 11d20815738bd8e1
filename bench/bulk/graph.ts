import { type GraphOptions, readGraph } from "../load/graph.ts";

/** Who follows whom, by position, as two columns: each pair once, nobody themself, in the order of followers. */
export interface FollowGraph {
  people: number;
  follower: Uint32Array;
  followee: Uint32Array;
}

/** Reads an edge list, as readGraph does; up to some 16 million lines. Throws GraphError. */
export async function followGraph(file: string, options: GraphOptions): Promise<FollowGraph> {
  const { people, follows } = await readGraph(file, options);
  return {
    people: people.length,
    follower: Uint32Array.from(follows, ([follower]) => follower),
    followee: Uint32Array.from(follows, ([, followee]) => followee),
  };
}

/** Positions of the follows in the order of followees, and of followers among those of one (a counting sort). Pure. */
export function byFollowee({ people, followee }: FollowGraph): Uint32Array {
  const next = new Uint32Array(people + 1);
  for (const person of followee) next[person + 1] = at(next, person + 1) + 1;
  for (let person = 1; person <= people; person++) next[person] = at(next, person) + at(next, person - 1);
  const sorted = new Uint32Array(followee.length);
  for (let i = 0; i < followee.length; i++) {
    const person = at(followee, i);
    const place = at(next, person);
    sorted[place] = i;
    next[person] = place + 1;
  }
  return sorted;
}

/** How often each position occurs. Pure. */
export function degrees(people: number, ends: Uint32Array): Uint32Array {
  const counts = new Uint32Array(people);
  for (const person of ends) counts[person] = at(counts, person) + 1;
  return counts;
}

/** An element that is there. */
export function at(column: Uint32Array | Uint16Array, i: number): number {
  return column[i] ?? 0;
}
