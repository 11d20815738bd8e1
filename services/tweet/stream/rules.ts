import { limits } from "../../../config/limits.ts";
import type { ShardDb } from "../../../mixins/shard-db/index.ts";
import type { ParamsOf, ResultOf } from "../../contracts/actions.ts";
import { readCursor, writeCursor } from "../../contracts/cursor.ts";
import type { RefusedRule, StreamRule } from "../../contracts/search.ts";
import { parseQuery, QueryError } from "../search/query.ts";
import type { RuleOwner } from "./owner.ts";
import { addRules, deleteRules, rulesOf } from "./rules.repo.ts";

type NewRule = ParamsOf<"tweet.addRules">["rules"][number];

/** The rules of the filtered stream. `changed` tells whoever streams by them. */
export class StreamRules {
  readonly #db: ShardDb;
  readonly #changed: (owner: RuleOwner) => void;

  constructor(db: ShardDb, changed: (owner: RuleOwner) => void) {
    this.#db = db;
    this.#changed = changed;
  }

  async list(
    owner: RuleOwner,
    { ids, limit, cursor }: ParamsOf<"tweet.rules">,
  ): Promise<ResultOf<"tweet.rules">> {
    const found = await rulesOf(this.#db, owner, { ids, limit: limit + 1, ...readCursor(cursor) });
    const rules = found.slice(0, limit);
    const last = rules.at(-1);
    return {
      rules,
      ...(found.length > limit && last ? { next_cursor: writeCursor({ after: last.id }) } : {}),
    };
  }

  /** Adds what is right; of the rest it says what is wrong. */
  async add(
    owner: RuleOwner,
    { rules, dry_run }: ParamsOf<"tweet.addRules">,
  ): Promise<ResultOf<"tweet.addRules">> {
    const known = await rulesOf(this.#db, owner, { limit: limits.streams.rulesEach });
    const { accepted, refused } = sift(rules, known);
    if (dry_run) return { created: accepted.map((rule) => ({ ...rule, id: "0" })), refused };
    const created = accepted.length > 0 ? await addRules(this.#db, owner, accepted) : [];
    if (created.length > 0) this.#changed(owner);
    // Another request may have been quicker.
    const made = new Set(created.map(({ value }) => value));
    const late = accepted.flatMap(({ value }) => (made.has(value) ? [] : tooMany(value)));
    return { created, refused: [...refused, ...late] };
  }

  /** Removes rules by id and by value. */
  async delete(
    owner: RuleOwner,
    { ids = [], values = [], all = false, dry_run }: ParamsOf<"tweet.deleteRules">,
  ): Promise<ResultOf<"tweet.deleteRules">> {
    const every = { limit: limits.streams.rulesEach };
    const found = dry_run
      ? (await rulesOf(this.#db, owner, every)).filter(
          ({ id, value }) => all || ids.includes(id) || values.includes(value),
        )
      : await deleteRules(this.#db, owner, { ids, values, all });
    if (!dry_run && found.length > 0) this.#changed(owner);
    const gone = new Set(found.flatMap(({ id, value }) => [id, value]));
    return { deleted: found.length, not_found: [...ids, ...values].filter((one) => !gone.has(one)) };
  }
}

/** Which of some new rules can be added to those that there are. Pure. */
export function sift(
  rules: readonly NewRule[],
  known: readonly StreamRule[],
): { accepted: NewRule[]; refused: RefusedRule[] } {
  const ids = new Map<string, string | undefined>(known.map(({ value, id }) => [value, id]));
  const accepted: NewRule[] = [];
  const refused: RefusedRule[] = [];
  for (const rule of rules) {
    const { value } = rule;
    const fault = faultOf(value);
    if (fault) refused.push({ value, reason: "invalid", detail: fault });
    else if (ids.has(value)) {
      const id = ids.get(value);
      refused.push({
        value,
        reason: "duplicate",
        detail: "There is such a rule already.",
        ...(id ? { id } : {}),
      });
    } else if (ids.size >= limits.streams.rulesEach) refused.push(tooMany(value));
    else {
      accepted.push(rule);
      ids.set(value, undefined);
    }
  }
  return { accepted, refused };
}

function faultOf(value: string): string | undefined {
  if (value.length > limits.search.queryLength)
    return `must be at most ${limits.search.queryLength} characters long`;
  try {
    parseQuery(value);
    return undefined;
  } catch (error) {
    if (error instanceof QueryError) return error.message;
    throw error;
  }
}

function tooMany(value: string): RefusedRule {
  return { value, reason: "cap", detail: `There may be ${limits.streams.rulesEach} rules at most.` };
}
