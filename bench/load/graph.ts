import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";

/** A follow: the positions of follower and followee among the graph's people. */
export type Follow = readonly [follower: number, followee: number];

export interface Graph {
  /** The people's names in the file. */
  people: string[];
  /** Each once, none of oneself, ordered by follower. */
  follows: Follow[];
  /** Lines with an edge. */
  lines: number;
  /** Lines that repeated an edge (undirected: in either direction), and lines from somebody to themself. */
  dropped: { duplicates: number; selfFollows: number };
}

export interface GraphOptions {
  /** Lines are `follower followee`. Otherwise a line `u v` means that both follow each other. */
  directed: boolean;
  /** Keeps only so many people, those with the most edges, and the edges among them. */
  users?: number;
}

/** An edge list that cannot be read, in one line that names file and place. */
export class GraphError extends Error {
  override name = "GraphError";
}

/** Two positions in one number: exact, because together they stay below 2^52. */
const WIDTH = 2 ** 26;

/**
 * Reads an edge list, plain or gzipped (`.gz`): two names to a line, separated by blanks or a comma; further columns,
 * empty lines and lines that start with # or % are ignored.
 * @throws GraphError
 */
export async function readGraph(file: string, options: GraphOptions): Promise<Graph> {
  try {
    return await parseGraph(linesOf(file), options);
  } catch (error) {
    throw new GraphError(`${file}: ${Error.isError(error) ? error.message : String(error)}`);
  }
}

/** Builds the graph from the lines of an edge list. Throws GraphError naming the line at fault. */
export async function parseGraph(
  lines: AsyncIterable<string> | Iterable<string>,
  { directed, users }: GraphOptions,
): Promise<Graph> {
  const people = new Map<string, number>();
  const position = (name: string): number => {
    const known = people.get(name);
    if (known !== undefined) return known;
    if (people.size >= WIDTH) throw new GraphError(`more than ${WIDTH} people`);
    people.set(name, people.size);
    return people.size - 1;
  };
  const edges = new Set<number>();
  const dropped = { duplicates: 0, selfFollows: 0 };
  let lineNumber = 0;
  let edgeLines = 0;
  for await (const line of lines) {
    lineNumber++;
    if (/^\s*([#%]|$)/.test(line)) continue;
    const [from, to] = line.trim().split(/[\s,]+/);
    if (from === undefined || to === undefined || to === "") {
      throw new GraphError(`line ${lineNumber}: expected two names, got "${line.slice(0, 40)}"`);
    }
    edgeLines++;
    const [u, v] = [position(from), position(to)];
    const edge = directed || u < v ? u * WIDTH + v : v * WIDTH + u;
    if (u === v) dropped.selfFollows++;
    else if (edges.has(edge)) dropped.duplicates++;
    else edges.add(edge);
  }
  const follows = [...edges].flatMap((edge): Follow[] => {
    const [u, v] = [Math.floor(edge / WIDTH), edge % WIDTH];
    return directed
      ? [[u, v]]
      : [
          [u, v],
          [v, u],
        ];
  });
  const graph = { people: [...people.keys()], follows, lines: edgeLines, dropped };
  return inOrder(users === undefined ? graph : bestConnected(graph, users));
}

/** The lines of a file, without ever holding more than a piece of it. */
async function* linesOf(file: string): AsyncGenerator<string> {
  const raw = createReadStream(file);
  // pipeline() destroys both streams and hands a fault of the first on to the second, whose reader throws it.
  const input = file.endsWith(".gz") ? pipeline(raw, createGunzip(), () => {}) : raw;
  yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
}

function bestConnected(graph: Graph, users: number): Graph {
  const degrees = new Array<number>(graph.people.length).fill(0);
  for (const person of graph.follows.flat()) degrees[person] = (degrees[person] ?? 0) + 1;
  const kept = [...degrees.keys()]
    .sort((a, b) => (degrees[b] ?? 0) - (degrees[a] ?? 0) || a - b)
    .slice(0, users);
  const moved = new Map(kept.map((old, now) => [old, now]));
  return {
    ...graph,
    people: kept.map((old) => graph.people[old] ?? ""),
    follows: graph.follows.flatMap(([follower, followee]): Follow[] => {
      const [a, b] = [moved.get(follower), moved.get(followee)];
      return a === undefined || b === undefined ? [] : [[a, b]];
    }),
  };
}

function inOrder(graph: Graph): Graph {
  return { ...graph, follows: graph.follows.sort(([a, b], [c, d]) => a - c || b - d) };
}
