import { limits } from "../../../config/limits.ts";
import { type Ctx, requireSelf } from "../../contracts/context.ts";
import type { EdgeDirection, RelationKind } from "../../contracts/edges.ts";
import { READ_SCOPES, type Scope } from "../../contracts/scopes.ts";
import type { Id } from "../../contracts/users.ts";
import { type Endpoint, forReader, forViewer } from "../endpoint.ts";
import { id, pageSize, paginationToken, type Shape, shape } from "../fields.ts";
import { userPageAnswer } from "../present/answers.ts";
import { done, USER_PAGE_ANSWER } from "../present/objects.ts";
import { USER_VIEW, userExtrasOf } from "../present/users.ts";
import { boolean, object, type TypeOf } from "../schema.ts";
import { withTweets } from "./expanded-users.ts";

/** What the API calls each kind of edge, and the actions that make and undo it. */
const EDGES = [
  { name: "following", verb: "Follow", make: "graph.follow", undo: "graph.unfollow", scope: "follows.write" },
  { name: "blocking", verb: "Block", make: "graph.block", undo: "graph.unblock", scope: "block.write" },
  { name: "muting", verb: "Mute", make: "graph.mute", undo: "graph.unmute", scope: "mute.write" },
] as const;

/** The lists that apps may read by themselves, and those that are their owner's only. */
const PUBLIC_LISTS: { name: string; summary: string; direction: EdgeDirection }[] = [
  { name: "followers", summary: "Who follows a user", direction: "in" },
  { name: "following", summary: "Whom a user follows", direction: "out" },
];
const OWN_LISTS: { name: string; summary: string; kind: RelationKind; scope: Scope }[] = [
  { name: "blocking", summary: "Whom you block", kind: "block", scope: "block.read" },
  { name: "muting", summary: "Whom you mute", kind: "mute", scope: "mute.read" },
];

const RELATION = done(
  object({}, { following: boolean(), pending_follow: boolean(), blocking: boolean(), muting: boolean() }),
);

const OWNER = shape({ id });
const TARGET = shape({ target_user_id: id });
const PAIR = shape({ source_user_id: id, target_user_id: id });
const LIST = shape({
  ...USER_VIEW,
  max_results: pageSize(limits.listPage),
  pagination_token: paginationToken,
});

/** POST and DELETE for follow, block and mute; GET for the lists of them. */
export const edgeRoutes: Endpoint[] = [
  ...EDGES.flatMap(({ name, verb, make, undo, scope }) => [
    forViewer(
      {
        method: "POST",
        path: `2/users/:id/${name}`,
        tag: "Relations",
        summary: `${verb} a user`,
        answer: RELATION,
        rate: "write",
        scopes: [...READ_SCOPES, scope],
        params: OWNER,
        body: TARGET,
      },
      async ({ ctx, params, body }) => {
        requireSelf(ctx, params.id);
        return { data: await ctx.call(make, body) };
      },
    ),
    forViewer(
      {
        method: "DELETE",
        path: `2/users/:source_user_id/${name}/:target_user_id`,
        tag: "Relations",
        summary: `Un${verb.toLowerCase()} a user`,
        answer: RELATION,
        rate: "write",
        scopes: [...READ_SCOPES, scope],
        params: PAIR,
      },
      async ({ ctx, params }) => {
        requireSelf(ctx, params.source_user_id, "source_user_id");
        return { data: await ctx.call(undo, { target_user_id: params.target_user_id }) };
      },
    ),
  ]),
  ...PUBLIC_LISTS.map(({ name, summary, direction }) =>
    forReader(
      {
        method: "GET",
        path: `2/users/:id/${name}`,
        tag: "Relations",
        summary,
        answer: USER_PAGE_ANSWER,
        rate: "read",
        scopes: [...READ_SCOPES, "follows.read"],
        params: OWNER,
        query: LIST,
      },
      ({ ctx, params, query }) => listOf(ctx, { user_id: params.id, kind: "follow", direction }, query),
    ),
  ),
  ...OWN_LISTS.map(({ name, summary, kind, scope }) =>
    forViewer(
      {
        method: "GET",
        path: `2/users/:id/${name}`,
        tag: "Relations",
        summary,
        answer: USER_PAGE_ANSWER,
        rate: "read",
        scopes: [...READ_SCOPES, scope],
        params: OWNER,
        query: LIST,
      },
      ({ ctx, params, query }) => listOf(ctx, { user_id: params.id, kind, direction: "out" }, query),
    ),
  ),
];

async function listOf(
  ctx: Ctx,
  of: { user_id: Id; kind: RelationKind; direction: EdgeDirection },
  query: typeof LIST extends Shape<infer Q> ? Q : never,
): Promise<TypeOf<typeof USER_PAGE_ANSWER>> {
  const { max_results: limit, pagination_token: cursor } = query;
  const extras = userExtrasOf(query["user.fields"], query.expansions);
  const page = await ctx.call("graph.list", { ...of, limit, cursor, ...extras });
  return userPageAnswer(await withTweets(ctx, page, query), query);
}
