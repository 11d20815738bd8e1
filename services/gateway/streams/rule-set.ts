import { setImmediate as turn } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import { limits } from "../../../config/limits.ts";
import { Periodic } from "../../../mixins/periodic.ts";
import type { Meta } from "../../contracts/context.ts";
import type { StreamRule } from "../../contracts/search.ts";
import type { Tweet } from "../../contracts/tweets.ts";
import { documentOf, type SearchDocument } from "../../tweet/search/document.ts";
import { matches } from "../../tweet/search/interpret.ts";
import { parseQuery, type Query, QueryError, usernamesIn } from "../../tweet/search/query.ts";
import { resolveUsers } from "../../tweet/search/users.ts";
import type { Calls } from "./calls.ts";

interface Parsed {
  query: Query;
  namesUsers: boolean;
}

/** What was parsed lately, of anybody, by its text; what a stream still uses stays in its set. In characters. */
const texts = new LRUCache<string, Parsed>({
  maxSize: 1_000_000,
  sizeCalculation: (_, text) => text.length,
});

/**
 * The rules of one owner, ready to match, for all of the owner's streams in this process. A rule is parsed once, and nothing
 * else waits for more than one of them: a thousand take seconds.
 */
export class RuleSet {
  readonly #call: Calls;
  readonly #meta: Meta;
  readonly #refresh = new Periodic(limits.streams.refreshMs, () => this.load());
  #parsed: ReadonlyMap<string, Parsed> = new Map();
  #rules: { rule: StreamRule; query: Query }[] = [];
  #last: Promise<unknown> = Promise.resolve();
  #next: Promise<void> | undefined;

  /** `meta`: of the owner. */
  constructor(call: Calls, meta: Meta) {
    this.#call = call;
    this.#meta = meta;
  }

  get rules(): StreamRule[] {
    return this.#rules.map(({ rule }) => rule);
  }

  /** Reads the rules anew every so often, and soon after `changed`. */
  start(): void {
    this.#refresh.start();
  }

  stop(): void {
    void this.#refresh.stop();
  }

  /** Changes that come close together are read together. */
  changed(): void {
    this.#refresh.soon(limits.streams.debounceMs);
  }

  /** Reads the rules as they are from now on; the old ones hold until then. Who asks meanwhile shares the next time. */
  load(): Promise<void> {
    if (this.#next) return this.#next;
    const next = this.#last.then(() => {
      this.#next = undefined;
      return this.#read();
    });
    this.#next = next;
    this.#last = next.catch(() => {});
    return next;
  }

  /** The rules that a tweet matches. */
  matching(tweet: Tweet): StreamRule[] {
    if (this.#rules.length === 0) return [];
    const document = documentFor(tweet);
    return this.#rules.flatMap(({ rule, query }) => (matches(query, document) ? rule : []));
  }

  async #read(): Promise<void> {
    const { rules } = await this.#call("tweet.rules", { limit: limits.streams.rulesEach }, this.#meta);
    const parsed = new Map<string, Parsed>();
    for (const { value } of rules) {
      const found = this.#parsed.get(value) ?? texts.get(value) ?? (await parseAlone(value));
      if (found) parsed.set(value, found);
    }
    this.#parsed = parsed;
    const named = [...parsed].filter(([, { namesUsers }]) => namesUsers);
    const resolved = await resolveUsers(
      named.map(([, { query }]) => query),
      (usernames) => this.#call("user.resolve", { usernames }),
    );
    const byText = new Map(named.map(([value], i) => [value, resolved[i]]));
    this.#rules = rules.flatMap((rule) => {
      const query = byText.get(rule.value) ?? parsed.get(rule.value)?.query;
      return query ? { rule, query } : [];
    });
  }
}

/** The rules of all who stream in this process. */
export class RuleSets {
  readonly #call: Calls;
  readonly #sets = new Map<string, { rules: RuleSet; readers: number }>();

  constructor(call: Calls) {
    this.#call = call;
  }

  /** The rules of an owner, which the owner's streams share; each has to `release` them. They are not loaded. */
  take(owner: string, meta: Meta): RuleSet {
    const set = this.#sets.get(owner) ?? { rules: new RuleSet(this.#call, meta), readers: 0 };
    if (set.readers++ === 0) set.rules.start();
    this.#sets.set(owner, set);
    return set.rules;
  }

  release(owner: string): void {
    const set = this.#sets.get(owner);
    if (!set || --set.readers > 0) return;
    set.rules.stop();
    this.#sets.delete(owner);
  }

  /** An owner's rules have changed. */
  changed(owner: string): void {
    this.#sets.get(owner)?.rules.changed();
  }
}

/** Parses in a turn of its own. What no query can be any more matches nothing. */
async function parseAlone(text: string): Promise<Parsed | undefined> {
  await turn();
  try {
    const query = parseQuery(text);
    const parsed = { query, namesUsers: usernamesIn(query).length > 0 };
    texts.set(text, parsed);
    return parsed;
  } catch (error) {
    if (error instanceof QueryError) return undefined;
    throw error;
  }
}

/** Many streams look at the same tweet. */
const documents = new WeakMap<Tweet, SearchDocument>();

function documentFor(tweet: Tweet): SearchDocument {
  const known = documents.get(tweet);
  if (known) return known;
  const made = documentOf(tweet);
  documents.set(tweet, made);
  return made;
}
