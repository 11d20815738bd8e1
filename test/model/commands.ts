import fc from "fast-check";
import { partitionOf } from "../../mixins/shard-db/ids.ts";
import { RELATION_KINDS } from "../../services/contracts/edges.ts";
import { errorCode } from "../../services/contracts/errors.ts";
import type { Id } from "../../services/contracts/users.ts";
import { pinMode } from "../../services/timeline/fanout.repo.ts";
import type { Person } from "../support/roost.ts";
import type { World } from "./world.ts";

/** What a sequence has brought about so far; what follows from it is the oracle's business. */
export interface Model {
  people: Person[];
  tweets: { id: Id; author: Person }[];
  paused: boolean;
  deaf: boolean;
}

/** Something that somebody does, or that happens, at one point of a sequence. */
interface Step {
  name: string;
  numbers: number[];
  play(model: Model, world: World, pick: Pick): Promise<void>;
}

/** Turns the numbers of a step into somebody or something of the model, whatever that holds by then. */
class Pick {
  readonly #model: Model;
  readonly #numbers: number[];

  constructor(model: Model, numbers: number[]) {
    this.#model = model;
    this.#numbers = [...numbers];
  }

  number(below: number): number {
    return (this.#numbers.shift() ?? 0) % below;
  }

  person(): Person {
    return of(this.#model.people, this.number(this.#model.people.length));
  }

  /** The pair that comes next. */
  peekPair(): [Person, Person] {
    return new Pick(this.#model, this.#numbers).pair();
  }

  pair(): [Person, Person] {
    const { people } = this.#model;
    const who = this.number(people.length);
    const whom = (who + 1 + this.number(people.length - 1)) % people.length;
    return [of(people, who), of(people, whom)];
  }

  tweet(): Model["tweets"][number] | undefined {
    const { tweets } = this.#model;
    return tweets.length > 0 ? tweets[this.number(tweets.length)] : undefined;
  }
}

function of<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new Error(`nothing at ${index} of ${list.length}`);
  return item;
}

/** A block in the way, or a tweet that is gone by now: part of life. */
async function allowed<T>(attempt: Promise<T>): Promise<T | undefined> {
  try {
    return await attempt;
  } catch (error) {
    if (errorCode(error) !== "FORBIDDEN" && errorCode(error) !== "NOT_FOUND") throw error;
    return undefined;
  }
}

type Play = Step["play"];

async function write(model: Model, world: World, author: Person, refers: { reply?: Id; quote?: Id } = {}) {
  const made = await allowed(
    world.roost.call(
      "tweet.create",
      { text: "hello", in_reply_to_tweet_id: refers.reply, quote_tweet_id: refers.quote },
      author,
    ),
  );
  if (made) model.tweets.push({ id: made.id, author });
}

/** What people do. */
const acts = {
  async tweet(model, world, pick) {
    const who = pick.person();
    for (let left = 1 + pick.number(3); left > 0; left--) await write(model, world, who);
  },
  async reply(model, world, pick) {
    await write(model, world, pick.person(), { reply: pick.tweet()?.id });
  },
  async quote(model, world, pick) {
    await write(model, world, pick.person(), { quote: pick.tweet()?.id });
  },
  async retweet(model, world, pick) {
    const who = pick.person();
    const tweet = pick.tweet();
    const made = tweet && (await allowed(world.roost.call("tweet.retweet", { tweet_id: tweet.id }, who)));
    if (made) model.tweets.push({ id: made.id, author: who });
  },
  async unretweet(_, world, pick) {
    const who = pick.person();
    const tweet = pick.tweet();
    if (tweet) await world.roost.call("tweet.unretweet", { tweet_id: tweet.id }, who);
  },
  async delete(_, world, pick) {
    const tweet = pick.tweet();
    if (tweet) await allowed(world.roost.call("tweet.delete", { id: tweet.id }, tweet.author));
  },
  async like(_, world, pick) {
    const who = pick.person();
    const tweet = pick.tweet();
    const action = pick.number(2) === 0 ? "graph.like" : "graph.unlike";
    if (tweet) await allowed(world.roost.call(action, { tweet_id: tweet.id }, who));
  },
  async make(_, world, pick) {
    const [who, whom] = pick.pair();
    const kind = of(["follow", "follow", ...RELATION_KINDS] as const, pick.number(5));
    await allowed(world.roost.call(`graph.${kind}`, { target_user_id: whom.id }, who));
  },
  async undo(_, world, pick) {
    const [who, whom] = pick.pair();
    const kind = of(RELATION_KINDS, pick.number(3));
    await world.roost.call(`graph.un${kind}`, { target_user_id: whom.id }, who);
  },
} satisfies Record<string, Play>;

/** What happens to the system. */
const faults = {
  async signUp(model, world) {
    const username = `u${Math.random().toString(36).slice(2, 14)}`;
    const { user } = await world.roost.call("user.signup", {
      username,
      name: "New",
      password: "correct horse",
    });
    model.people.push({ id: user.id, username });
  },
  async switchMode(_, world, pick) {
    const mode = of(["push", "pull", null] as const, pick.number(3));
    await pinMode(world.roost.resources.db, pick.person().id, mode);
  },
  async evict(model, world, pick) {
    const { keys } = world.roost.store;
    const { id } = pick.person();
    const tweet = model.tweets.at(-1)?.id ?? id;
    const candidates = [
      keys.home(id),
      keys.author(id),
      keys.following(id),
      keys.blocked(id),
      keys.muted(id),
      keys.pulled(partitionOf(id)),
      keys.tweetState(tweet),
      keys.tweetBody(tweet),
    ];
    await world.roost.store.delete([of(candidates, pick.number(candidates.length))]);
  },
  flush: (_, world) => world.flush(),
  aDayPasses: (_, world) => world.aDayPasses(),
  async pause(model, world) {
    if (model.paused) return;
    model.paused = true;
    await world.pause();
  },
  async resume(model, world) {
    if (!model.paused) return;
    model.paused = false;
    await world.resume();
  },
  async loseEvents(model, world) {
    if (!model.deaf) world.goDeaf();
    model.deaf = true;
  },
  async repeatTweetJob(_, world, pick) {
    const tweet = pick.tweet();
    if (tweet) await world.repeat("tweet", { id: tweet.id }, tweet.id);
  },
  async repeatEdgeJob(_, world, pick) {
    const [{ id: src }, { id: dst }] = pick.pair();
    await world.repeat("edge", { src, kind: of(RELATION_KINDS, pick.number(3)), dst }, src);
  },
  async killWorker(_, world, pick) {
    // Rarely: another one takes a second to start.
    if (pick.number(5) === 0) await world.killWorker();
  },
} satisfies Record<string, Play>;

/** Several people at the same moment. */
const burst: Play = async (model, world, pick) => {
  const plays = Object.values(acts);
  const chosen = Array.from({ length: 2 + pick.number(4) }, () => of(plays, pick.number(plays.length)));
  await Promise.all(chosen.map((play) => play(model, world, pick)));
};

const look: Play = (_, world, pick) => world.look(pick.person(), 2 + pick.number(9));

/** A relation changes, and one of the two looks at once. */
const relate =
  (act: Play, reader: 0 | 1): Play =>
  async (model, world, pick) => {
    const pair = pick.peekPair();
    await act(model, world, pick);
    await world.look(pair[reader], 5);
  };

const weights: [weight: number, name: string, play: Play][] = [
  [10, "tweet", acts.tweet],
  [6, "reply", acts.reply],
  [2, "quote", acts.quote],
  [5, "retweet", acts.retweet],
  [3, "unretweet", acts.unretweet],
  [4, "delete", acts.delete],
  [2, "like", acts.like],
  [6, "make", acts.make],
  [5, "makeAndLook", relate(acts.make, 0)],
  [5, "makeAndBeLookedAt", relate(acts.make, 1)],
  [4, "undo", acts.undo],
  [3, "undoAndLook", relate(acts.undo, 0)],
  [3, "undoAndBeLookedAt", relate(acts.undo, 1)],
  [6, "burst", burst],
  [16, "look", look],
  [1, "signUp", faults.signUp],
  [4, "switchMode", faults.switchMode],
  [4, "evict", faults.evict],
  [1, "flush", faults.flush],
  [1, "aDayPasses", faults.aDayPasses],
  [2, "pause", faults.pause],
  [2, "resume", faults.resume],
  [1, "loseEvents", faults.loseEvents],
  [2, "repeatTweetJob", faults.repeatTweetJob],
  [2, "repeatEdgeJob", faults.repeatEdgeJob],
  [1, "killWorker", faults.killWorker],
];

class Command implements fc.AsyncCommand<Model, World> {
  readonly #step: Step;

  constructor(step: Step) {
    this.#step = step;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, world: World): Promise<void> {
    return this.#step.play(model, world, new Pick(model, this.#step.numbers));
  }

  toString(): string {
    return `${this.#step.name}(${this.#step.numbers.join(",")})`;
  }
}

const NUMBERS = fc.array(fc.nat(1_000), { minLength: 4, maxLength: 20 });

/** Sequences of things that people do and that happen to the system, in any order. */
export const sequences = fc.commands<Model, World, false>(
  weights.flatMap(([weight, name, play]) =>
    Array.from({ length: weight }, () => NUMBERS.map((numbers) => new Command({ name, numbers, play }))),
  ),
  { maxCommands: 40, size: "max" },
);
