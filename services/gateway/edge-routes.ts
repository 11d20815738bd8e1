import { limits } from "../../config/limits.ts";
import type { EdgeDirection, RelationKind } from "../contracts/actions.ts";
import { requireSelf } from "../contracts/context.ts";
import { type Endpoint, forViewer } from "./endpoint.ts";
import { id, pageSize, paginationToken, shape } from "./fields.ts";
import { userPageAnswer } from "./present/answers.ts";
import { tweetFields } from "./present/tweets.ts";
import { userExpansions, userFields } from "./present/users.ts";

/** What the API calls each kind of edge, and the actions that make and undo it. */
const EDGES = [
  { name: "following", make: "graph.follow", undo: "graph.unfollow" },
  { name: "blocking", make: "graph.block", undo: "graph.unblock" },
  { name: "muting", make: "graph.mute", undo: "graph.unmute" },
] as const;

const LISTS: { name: string; kind: RelationKind; direction: EdgeDirection }[] = [
  { name: "followers", kind: "follow", direction: "in" },
  { name: "following", kind: "follow", direction: "out" },
  { name: "blocking", kind: "block", direction: "out" },
  { name: "muting", kind: "mute", direction: "out" },
];

const OWNER = shape({ id });
const TARGET = shape({ target_user_id: id });
const PAIR = shape({ source_user_id: id, target_user_id: id });
const LIST = shape({
  "user.fields": userFields,
  "tweet.fields": tweetFields,
  expansions: userExpansions,
  max_results: pageSize(limits.listPage),
  pagination_token: paginationToken,
});

/** POST and DELETE for follow, block and mute; GET for the lists of them. */
export const edgeRoutes: Endpoint[] = [
  ...EDGES.flatMap(({ name, make, undo }) => [
    forViewer(
      { method: "POST", path: `2/users/:id/${name}`, rate: "write", params: OWNER, body: TARGET },
      async ({ ctx, params, body }) => {
        requireSelf(ctx, params.id);
        return { data: await ctx.call(make, body) };
      },
    ),
    forViewer(
      {
        method: "DELETE",
        path: `2/users/:source_user_id/${name}/:target_user_id`,
        rate: "write",
        params: PAIR,
      },
      async ({ ctx, params }) => {
        requireSelf(ctx, params.source_user_id, "source_user_id");
        return { data: await ctx.call(undo, { target_user_id: params.target_user_id }) };
      },
    ),
  ]),
  ...LISTS.map(({ name, kind, direction }) =>
    forViewer(
      { method: "GET", path: `2/users/:id/${name}`, rate: "read", params: OWNER, query: LIST },
      async ({ ctx, params, query }) => {
        const { "user.fields": selected, max_results: limit, pagination_token: cursor } = query;
        const wanted = { user_id: params.id, kind, direction, limit, cursor, with_metrics: selected.metrics };
        return userPageAnswer(await ctx.call("graph.list", wanted), selected);
      },
    ),
  ),
];
