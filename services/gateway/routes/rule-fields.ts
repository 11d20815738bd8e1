import { limits } from "../../../config/limits.ts";
import type { ParamsOf } from "../../contracts/actions.ts";
import type { Id } from "../../contracts/users.ts";
import { decoded, described, type Field, idsInBody, optional, part, shape } from "../fields.ts";

type NewRule = ParamsOf<"tweet.addRules">["rules"][number];
const { rulesAtOnce, rulesEach, tagLength } = limits.streams;

const isText = (value: unknown): value is string =>
  typeof value === "string" && value !== "" && value.isWellFormed() && !value.includes("\0");

function isNewRule(value: unknown): value is NewRule {
  if (typeof value !== "object" || value === null) return false;
  const { value: query, tag, ...others }: Record<string, unknown> = { ...value };
  const isTag = tag === undefined || (isText(tag) && tag.length <= tagLength);
  return isText(query) && isTag && Object.keys(others).length === 0;
}

/** A list in a body whose every item `isItem`. */
function listInBody<T>(
  most: number,
  message: string,
  items: object,
  isItem: (item: unknown) => item is T,
): Field<T[]> {
  return {
    nested: true,
    schema: { type: "array", items, minItems: 1, maxItems: most },
    rule: {
      type: "custom",
      messages: { invalid: `must be a list of 1 to ${most} ${message}` },
      check(raw: unknown, errors: { type: string; actual: unknown }[]) {
        const right = Array.isArray(raw) && raw.length > 0 && raw.length <= most && raw.every(isItem);
        if (!right) errors.push({ type: "invalid", actual: raw });
        return raw;
      },
    },
  };
}

const RULE_SCHEMA = {
  type: "object",
  properties: {
    value: { type: "string", minLength: 1 },
    tag: { type: "string", minLength: 1, maxLength: tagLength },
  },
  required: ["value"],
  additionalProperties: false,
};

export const newRules = listInBody(
  rulesAtOnce,
  `rules, each with a value and perhaps a tag of at most ${tagLength} characters`,
  RULE_SCHEMA,
  isNewRule,
);

export const unwantedRules: Field<{ ids?: Id[]; values?: string[] }> = part(
  shape({
    ids: optional(idsInBody(rulesEach)),
    values: optional(listInBody(rulesEach, "values of rules", { type: "string", minLength: 1 }, isText)),
  }),
);

export const flag = (description: string): Field<boolean | undefined> =>
  described(
    optional(
      decoded("must be true or false", { type: "boolean" }, (raw) =>
        raw === "true" ? true : raw === "false" ? false : undefined,
      ),
    ),
    description,
  );
