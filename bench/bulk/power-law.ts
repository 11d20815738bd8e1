import { seededRandom } from "../load/random.ts";
import { at, type FollowGraph } from "./graph.ts";

export interface PowerLawOptions {
  people: number;
  /** How many others somebody follows, on average. */
  meanFollows: number;
  seed: number;
}

/** Of the followers per user: what Kwak et al. measured (What is Twitter, a Social Network or a News Media?, WWW 2010). */
const EXPONENT = 2.276;
/** Draws for each wanted follow before the rest is let go: in a small graph the most popular come up again and again. */
const TRIES = 4;

/**
 * Makes a graph whose in-degrees follow a power law; the same for the same options. Whom somebody follows is drawn with a
 * probability in proportion to rank^(-1/(γ-1)) (random graphs with given expected degrees: Chung and Lu, 2002); how many,
 * from an exponential distribution. Pure.
 */
export function powerLawGraph({ people, meanFollows, seed }: PowerLawOptions): FollowGraph {
  const random = seededRandom(seed);
  const wanted = new Uint32Array(people);
  let total = 0;
  for (let person = 0; person < people; person++) {
    const count = Math.min(people - 1, Math.round(-Math.log(1 - random()) * meanFollows));
    wanted[person] = count;
    total += count;
  }
  const popular = popularity(people, random);
  const follower = new Uint32Array(total);
  const followee = new Uint32Array(total);
  // By whom each was drawn last, plus one: tells a repeated draw.
  const drawnBy = new Uint32Array(people);
  let made = 0;
  for (let person = 0; person < people; person++) {
    drawnBy[person] = person + 1;
    const until = made + at(wanted, person);
    for (let tries = TRIES * at(wanted, person); made < until && tries > 0; tries--) {
      const other = popular();
      if (at(drawnBy, other) === person + 1) continue;
      drawnBy[other] = person + 1;
      follower[made] = person;
      followee[made] = other;
      made++;
    }
  }
  return { people, follower: follower.subarray(0, made), followee: followee.subarray(0, made) };
}

/** Draws people by popularity: the inverse of the distribution of ranks, and ranks scattered over all positions. */
function popularity(people: number, random: () => number): () => number {
  const power = 1 / (1 - 1 / (EXPONENT - 1));
  const stride = coprime(people, random);
  return () => (Math.floor(people * random() ** power) * stride) % people;
}

/** A step that visits every position before it comes back to the first. */
function coprime(people: number, random: () => number): number {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
  let step = 1 + Math.floor(random() * people);
  while (divisor(people, step) !== 1) step++;
  return step;
}
