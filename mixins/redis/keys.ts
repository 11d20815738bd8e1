import { PARTITIONS, partitionOf } from "../shard-db/ids.ts";

/**
 * Every Redis key, built here and nowhere else. The hash tag `{0}`–`{255}` is the partition of the owner, so that all
 * keys of a partition share a Redis Cluster slot and one script can serve them.
 */
export class Keys {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Matches every key, as a glob of Redis. */
  get pattern(): string {
    return `${this.#prefix.replace(/[\\*?[\]]/g, "\\$&")}*`;
  }

  /** What a key names, and whose it is: the last part of it ("" for what is a partition's). */
  parse(key: string): { name: string; owner: string } | undefined {
    const [, name = "", owner = ""] =
      /^\{[^}]+\}:(\w+)(?::(.*))?$/.exec(key.slice(this.#prefix.length)) ?? [];
    return name ? { name, owner } : undefined;
  }

  #of(id: string, name: string): string {
    return `${this.#prefix}{${partitionOf(id)}}:${name}:${id}`;
  }

  /** Windowed list: candidates of a user's home timeline. */
  home(userId: string): string {
    return this.#of(userId, "home");
  }

  /** Windowed list: an author's own recent tweets. */
  author(userId: string): string {
    return this.#of(userId, "author");
  }

  /** Marked sets: whom a user follows, mutes, and blocks or is blocked by. */
  following(userId: string): string {
    return this.#of(userId, "following");
  }

  muted(userId: string): string {
    return this.#of(userId, "muted");
  }

  blocked(userId: string): string {
    return this.#of(userId, "blocked");
  }

  /** Marked set: the authors to pull at read time; a copy in each partition. */
  pulled(partition: number): string {
    return `${this.#prefix}{${partition}}:pulled`;
  }

  allPulled(): string[] {
    return Array.from({ length: PARTITIONS }, (_, partition) => this.pulled(partition));
  }

  /** Prefix of how far those of a bucket have seen each shard; the id of the user or app follows. */
  seenPrefix(bucket: number): string {
    return `${this.#prefix}{${bucket >> 2}}:seen:`;
  }

  /** How often a user reads their home timeline (see lua/rate.lua). */
  reads(userId: string): string {
    return this.#of(userId, "reads");
  }

  /** Since when the reads of a partition are counted: s since 1970. */
  readsSince(partition: number): string {
    return `${this.#prefix}{${partition}}:reads-since`;
  }

  /** Leased entry: whether a tweet exists ("1") or was deleted ("0"). */
  tweetState(tweetId: string): string {
    return this.#of(tweetId, "state");
  }

  /** A tweet's immutable body, as JSON. */
  tweetBody(tweetId: string): string {
    return this.#of(tweetId, "tweet");
  }

  /** Leased entry: a user's public profile, as JSON. */
  user(userId: string): string {
    return this.#of(userId, "user");
  }

  /** Leased entry: the session of an access token, by the token's bucket and hash. */
  session(bucket: number, tokenHash: string): string {
    return `${this.#prefix}{${bucket >> 2}}:session:${tokenHash}`;
  }

  /** Token buckets of the users of a token bucket's partition: the script appends `<class>:<user id>`. */
  userRate(bucket: number): string {
    return `${this.#prefix}{${bucket >> 2}}:rate:`;
  }

  /** Token bucket of an endpoint class and of whom no partition has: an IP address, an account that is tried. */
  rate(payer: string, rateClass: string): string {
    return `${this.#prefix}{${payer}}:rate:${rateClass}`;
  }
}
