import { limits } from "../../../config/limits.ts";
import type { StreamRule, Tweet } from "../../contracts/actions.ts";
import type { Meta } from "../../contracts/context.ts";
import { documentOf, type SearchDocument } from "../../tweet/search/document.ts";
import { matches } from "../../tweet/search/interpret.ts";
import { parseQuery, type Query } from "../../tweet/search/query.ts";
import { resolveUsers } from "../../tweet/search/users.ts";
import type { Calls } from "./calls.ts";

/** The rules of one owner, ready to match. */
export class RuleSet {
  readonly #call: Calls;
  readonly #meta: Meta;
  #rules: { rule: StreamRule; query: Query }[] = [];

  /** `meta`: of the owner. */
  constructor(call: Calls, meta: Meta) {
    this.#call = call;
    this.#meta = meta;
  }

  get rules(): StreamRule[] {
    return this.#rules.map(({ rule }) => rule);
  }

  /** Reads the rules anew; the old ones hold until then. */
  async load(): Promise<void> {
    const { rules } = await this.#call("tweet.rules", { limit: limits.streams.rulesEach }, this.#meta);
    const resolve = (usernames: string[]) => this.#call("user.resolve", { usernames });
    const queries = await resolveUsers(
      rules.map(({ value }) => parseQuery(value)),
      resolve,
    );
    this.#rules = queries.flatMap((query, i) => {
      const rule = rules[i];
      return rule ? { rule, query } : [];
    });
  }

  /** The rules that a tweet matches. */
  matching(tweet: Tweet): StreamRule[] {
    if (this.#rules.length === 0) return [];
    const document = documentFor(tweet);
    return this.#rules.flatMap(({ rule, query }) => (matches(query, document) ? rule : []));
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
