import type { ServiceBroker } from "moleculer";
import type { Tweet } from "../../services/contracts/tweets.ts";
import type { Id } from "../../services/contracts/users.ts";
import type { RunningNode } from "../../services/node.ts";
import type { Person, Roost } from "./roost.ts";

/** Someone's life so far, as far as it was acknowledged. */
interface Life extends Person {
  tweets: Id[];
  /** Authors whose tweets must not show, from the moment of the answer on. */
  hidden: Set<Id>;
}

/** Tweets that everyone begins with. */
const PAST = 4;

/**
 * People who follow each other and, all at the same time and on all nodes in turn, tweet, delete, unfollow, follow and
 * mute, and look at their timelines after each act. Every request must be answered. What was acknowledged holds at once:
 * one's own tweet is there, what was hidden is gone, what was followed is there.
 */
export class Society {
  /** The nodes that answer; by default all of them. */
  nodes: readonly RunningNode[];
  readonly #roost: Roost;
  readonly #lives: Life[];
  readonly #deleted = new Set<Id>();
  #turn = 0;

  private constructor(roost: Roost, people: Person[]) {
    this.#roost = roost;
    this.nodes = roost.nodes;
    this.#lives = people.map((person) => ({ ...person, tweets: [], hidden: new Set() }));
  }

  static async of(roost: Roost, size: number): Promise<Society> {
    const society = new Society(roost, await roost.people(size));
    for (const who of society.#lives) {
      for (const { id } of society.#lives) {
        if (id !== who.id) await roost.call("graph.follow", { target_user_id: id }, who);
      }
    }
    for (let n = 0; n < PAST; n++) await society.#everyone((who) => society.#tweet(who));
    return society;
  }

  get people(): readonly Person[] {
    return this.#lives;
  }

  /** Some rounds of everyone's acts, at least one, and further ones until `over` holds. */
  async live(rounds: number, over: () => Promise<boolean> | boolean = () => true): Promise<void> {
    for (let round = 0; round < rounds || !(await over()); round++) {
      await this.#everyone(async (who, next) => {
        await this.#tweet(who);
        const hidden = await this.#hide(who, next, round % 3 === 0 ? "mute" : "unfollow");
        await hidden.undo();
        if (round % 2 === 0) await this.#delete(who, next);
      });
    }
  }

  /** Goes on living until timelines are served from Redis (again). */
  async liveUntilRedisServes(): Promise<void> {
    const over = await this.#served();
    await this.live(1, over);
  }

  /** Everyone looks, at least once and until `over` holds. */
  async look(over: () => Promise<boolean> | boolean): Promise<void> {
    do await this.#everyone((who) => this.#look(who));
    while (!(await over()));
  }

  /** Everyone looks until timelines are served from Redis (again). */
  async lookUntilRedisServes(): Promise<void> {
    await this.look(await this.#served());
  }

  /** One of them looks. */
  async glance(): Promise<void> {
    const [who] = this.#lives;
    if (who) await this.#look(who);
  }

  /** Everyone tweets, and nobody looks. */
  async tweet(): Promise<void> {
    await this.#everyone((who) => this.#compose(who));
  }

  /** Everyone tweets and hides things, and leaves it at that. */
  async tweetAndHide(): Promise<void> {
    await this.#everyone((who) => this.#tweet(who));
    await this.#everyone(async (who, next, i) => {
      await this.#hide(who, next, i % 2 === 0 ? "unfollow" : "mute");
      await this.#delete(who, next);
    });
  }

  /** The same, and nobody looks. */
  async hideUnseen(): Promise<void> {
    await this.#everyone(async (who, next, i) => {
      await this.#turnAway(who, next, i % 2 === 0 ? "unfollow" : "mute");
      await this.#remove(who);
    });
  }

  /** Every page of everyone is the brute-force answer now, on every node. */
  async compare(): Promise<void> {
    for (const who of this.#lives) {
      const truth = await this.#roost.oracle.homeOf(who.id);
      expect(truth.length).toBeGreaterThanOrEqual(PAST);
      for (const { broker } of this.#roost.nodes) {
        expect((await this.#roost.home(who, 17, broker)).map(({ id }) => id)).toEqual(truth);
      }
    }
  }

  /** The same once everything is at rest. */
  async agree(): Promise<void> {
    await this.#roost.settle();
    await this.compare();
  }

  async #everyone(act: (who: Life, next: Life, i: number) => Promise<unknown>): Promise<void> {
    const next = (i: number) => this.#lives[(i + 1) % this.#lives.length] as Life; // within the list
    await Promise.all(this.#lives.map((who, i) => act(who, next(i), i)));
  }

  async #served(): Promise<() => Promise<boolean>> {
    const served = () => this.#roost.counted("homeReads", "redis");
    const before = await served();
    return async () => (await served()) > before;
  }

  async #tweet(who: Life): Promise<void> {
    const id = await this.#compose(who);
    expect(idsOf(await this.#look(who))).toContain(id);
  }

  async #compose(who: Life): Promise<Id> {
    const { id } = await this.#roost.call("tweet.create", { text: "hello" }, who, this.#node);
    who.tweets.push(id);
    return id;
  }

  async #hide(who: Life, whom: Life, how: "mute" | "unfollow"): Promise<{ undo(): Promise<void> }> {
    const target = { target_user_id: whom.id };
    await this.#turnAway(who, whom, how);
    await this.#look(who);
    return {
      undo: async () => {
        const newest = whom.tweets.at(-1);
        who.hidden.delete(whom.id);
        await this.#roost.call(how === "mute" ? "graph.unmute" : "graph.follow", target, who, this.#node);
        const shown = idsOf(await this.#look(who));
        // Only a new follow brings what is on its way.
        if (how === "unfollow" && newest && whom.tweets.includes(newest)) expect(shown).toContain(newest);
      },
    };
  }

  async #turnAway(who: Life, whom: Life, how: "mute" | "unfollow"): Promise<void> {
    await this.#roost.call(`graph.${how}`, { target_user_id: whom.id }, who, this.#node);
    who.hidden.add(whom.id);
  }

  async #delete(who: Life, reader: Life): Promise<void> {
    if (await this.#remove(who)) await this.#look(reader);
  }

  /** Deletes the oldest tweet of `who`, who keeps some. */
  async #remove(who: Life): Promise<boolean> {
    const id = who.tweets.length >= PAST ? who.tweets.shift() : undefined;
    if (!id) return false;
    await this.#roost.call("tweet.delete", { id }, who, this.#node);
    this.#deleted.add(id);
    return true;
  }

  /** Reads a page. Nothing may show that was hidden before the request. */
  async #look(who: Life): Promise<Tweet[]> {
    const deleted = new Set(this.#deleted);
    const hidden = new Set(who.hidden);
    const query = { user_id: who.id, limit: 100 };
    const { tweets } = await this.#roost.call("timeline.home", query, who, this.#node);
    const wrong = tweets.filter(
      // What `who` does at the same time may have shown an author again: only what is hidden still counts.
      ({ id, author_id }) => deleted.has(id) || (hidden.has(author_id) && who.hidden.has(author_id)),
    );
    expect({ hiddenButShown: wrong }).toEqual({ hiddenButShown: [] });
    return tweets;
  }

  /** Every request goes to another node than the one before. */
  get #node(): ServiceBroker {
    return this.nodes[this.#turn++ % this.nodes.length]?.broker ?? this.#roost.broker;
  }
}

const idsOf = (tweets: Tweet[]): Id[] => tweets.map(({ id }) => id);
