import { limits } from "../../../config/limits.ts";
import { type ShardDb, sql } from "../../../mixins/shard-db/index.ts";
import type { StreamRule } from "../../contracts/search.ts";
import type { Id } from "../../contracts/users.ts";
import type { RuleOwner } from "./owner.ts";

interface RuleRow {
  id: Id;
  value: string;
  tag: string | null;
}

const MAX_ID = "9223372036854775807";
const toRule = ({ tag, ...rule }: RuleRow): StreamRule => ({ ...rule, ...(tag === null ? {} : { tag }) });

/** An owner's rules after an id, oldest first; those of `ids`, where given. */
export async function rulesOf(
  db: ShardDb,
  { key, bucket }: RuleOwner,
  { ids, after = "0", limit }: { ids?: readonly Id[]; after?: Id; limit: number },
): Promise<StreamRule[]> {
  const rows = await db.read(
    { bucket },
    sql<RuleRow>`
      SELECT id, value, tag FROM stream_rules
      WHERE owner = ${key} AND id > ${after} AND id < ${MAX_ID} AND (${ids ?? null}::bigint[] IS NULL OR id = ANY(${ids ?? null}::bigint[]))
      ORDER BY id LIMIT ${limit}`,
  );
  return rows.map(toRule);
}

/** Adds rules as long as there are fewer than `limits.streams.rulesEach`; those whose value is there already, or that are too many, are not. */
export function addRules(
  db: ShardDb,
  { key, bucket }: RuleOwner,
  rules: readonly { value: string; tag?: string }[],
): Promise<StreamRule[]> {
  return db.transaction({ bucket }, async (tx) => {
    await tx.query(sql`SELECT pg_advisory_xact_lock(3, hashtext(${key}))`);
    const rows = await tx.query(sql<RuleRow>`
      INSERT INTO stream_rules (id, owner, value, tag)
      SELECT next_id(${bucket}), ${key}, value, tag
      FROM unnest(${rules.map(({ value }) => value)}::text[], ${rules.map(({ tag }) => tag ?? null)}::text[])
        WITH ORDINALITY AS new (value, tag, place)
      ORDER BY place
      LIMIT greatest(0, ${limits.streams.rulesEach} - (SELECT count(*) FROM stream_rules WHERE owner = ${key}))
      ON CONFLICT (owner, value) DO NOTHING
      RETURNING id, value, tag`);
    return rows.map(toRule);
  });
}

/** Removes an owner's rules by id or by value, or all of them; returns those that were there. */
export async function deleteRules(
  db: ShardDb,
  { key, bucket }: RuleOwner,
  { ids, values, all }: { ids: readonly Id[]; values: readonly string[]; all: boolean },
): Promise<StreamRule[]> {
  const rows = await db.write(
    { bucket },
    sql<RuleRow>`
      DELETE FROM stream_rules WHERE owner = ${key} AND (${all} OR id = ANY(${ids}::bigint[]) OR value = ANY(${values}::text[]))
      RETURNING id, value, tag`,
  );
  return rows.map(toRule);
}
