import type { ResultOf } from "../../contracts/actions.ts";
import type { RefusedRule } from "../../contracts/search.ts";
import type { TypeOf } from "../schema.ts";
import type { Problem, RULES_ANSWER, RULES_CHANGED } from "./objects.ts";

const TYPES = "https://api.twitter.com/2/problems/";

export function rulesAnswer(
  { rules, next_cursor: next_token }: ResultOf<"tweet.rules">,
  sent: Date,
): TypeOf<typeof RULES_ANSWER> {
  return { data: rules, meta: { sent: sent.toISOString(), result_count: rules.length, next_token } };
}

/** What was added and what was not. */
export function addedAnswer(
  { created, refused }: ResultOf<"tweet.addRules">,
  sent: Date,
): TypeOf<typeof RULES_CHANGED> {
  const invalid = refused.filter(({ reason }) => reason === "invalid").length;
  const summary = {
    created: created.length,
    not_created: refused.length,
    valid: created.length + refused.length - invalid,
    invalid,
  };
  return {
    ...(created.length > 0 ? { data: created } : {}),
    meta: { sent: sent.toISOString(), summary },
    ...(refused.length > 0 ? { errors: refused.map(problemOf) } : {}),
  };
}

/** How many were deleted, and which were not there. */
export function deletedAnswer(
  { deleted, not_found }: ResultOf<"tweet.deleteRules">,
  sent: Date,
): TypeOf<typeof RULES_CHANGED> {
  return {
    meta: { sent: sent.toISOString(), summary: { deleted, not_deleted: not_found.length } },
    ...(not_found.length > 0 ? { errors: not_found.map(goneProblem) } : {}),
  };
}

const PROBLEMS = {
  invalid: { type: `${TYPES}invalid-rules`, title: "Invalid Rule" },
  duplicate: { type: `${TYPES}duplicate-rules`, title: "Duplicate Rule" },
  cap: { type: `${TYPES}rule-cap`, title: "Rules Cap" },
} as const;

function problemOf({ value, reason, detail, id }: RefusedRule): Problem {
  const { type, title } = PROBLEMS[reason];
  // Only of a duplicate X's problem has members of its own.
  if (reason === "duplicate") return { type, title, detail, value, ...(id ? { id } : {}) };
  return { type, title, detail: `${value}: ${detail}` };
}

/** Rules are no resources to X's own problem of a missing one. */
function goneProblem(value: string): Problem {
  return { type: "about:blank", title: "Not Found Error", detail: `There is no rule ${value}.` };
}
