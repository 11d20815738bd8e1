import {
  id,
  ids,
  optional,
  pageSize,
  paginationToken,
  part,
  shape,
  someOf,
  text,
  time,
  usernames,
} from "../../services/gateway/fields.ts";
import { parseQuery } from "../../services/gateway/http/query.ts";
import { tweetFields } from "../../services/gateway/present/tweet-fields.ts";
import { tweetExpansions } from "../../services/gateway/present/tweets.ts";
import { userFields } from "../../services/gateway/present/users.ts";
import { describe as describeError } from "../../services/gateway/problem.ts";
import { type Routed, Router } from "../../services/gateway/router.ts";

/** The names of the parameters that a 400 complains about; undefined where nothing was thrown. */
function faults(work: () => unknown): string[] | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    const { problem } = describeError(error);
    expect(problem.status).toBe(400);
    return problem.errors?.flatMap(({ parameters }) => Object.keys(parameters));
  }
}

describe("query strings", () => {
  it("are decoded", () => {
    expect({ ...parseQuery("a=1&user.fields=x%2Cy&c=a+b&d=&e") }).toEqual({
      a: "1",
      "user.fields": "x,y",
      c: "a b",
      d: "",
      e: "",
    });
    expect({ ...parseQuery("") }).toEqual({});
  });

  it("may not repeat a name, also when it is written differently", () => {
    expect(faults(() => parseQuery("a=1&a=2"))).toEqual(["a"]);
    expect(faults(() => parseQuery("a=1&%61=2"))).toEqual(["a"]);
  });

  it("must be valid UTF-8", () => {
    expect(faults(() => parseQuery("a=%ff"))).toEqual(["a"]);
    expect(faults(() => parseQuery("a=%"))).toEqual(["a"]);
  });

  it("hold names of the prototype chain like any other", () => {
    const query = parseQuery("__proto__=1&constructor=2&toString=3");
    expect(Object.keys(query)).toEqual(["__proto__", "constructor", "toString"]);
    expect(faults(() => shape({}).parse(query))).toEqual(["__proto__", "constructor", "toString"]);
  });
});

describe("shapes", () => {
  it("convert and fill in", () => {
    const query = shape({ max_results: pageSize({ min: 5, max: 100, default: 10 }), since_id: optional(id) });
    expect(query.parse({})).toEqual({ max_results: 10 });
    expect(query.parse({ max_results: "100", since_id: "12" })).toEqual({ max_results: 100, since_id: "12" });
  });

  it("name every fault at once", () => {
    const body = shape({ text, id });
    expect(faults(() => body.parse({ text: 1, extra: true }))?.sort()).toEqual(["extra", "id", "text"]);
  });

  it("see own names only, also where JSON brings a prototype", () => {
    expect(faults(() => shape({ text }).parse(JSON.parse('{"text":"a","__proto__":{"x":1}}')))).toEqual([
      "__proto__",
    ]);
    expect(faults(() => shape({ text }).parse(JSON.parse('{"__proto__":{"text":"a"}}')))?.sort()).toEqual([
      "__proto__",
      "text",
    ]);
  });

  it.each([
    "",
    "0",
    "007",
    "-1",
    "+1",
    "1.0",
    "1e3",
    " 1",
    "0x1",
    "9223372036854775808",
    "12345678901234567890",
    "١",
  ])("take no %j for an id", (raw) => expect(faults(() => shape({ id }).parse({ id: raw }))).toEqual(["id"]));

  it("take the greatest id", () => {
    expect(shape({ id }).parse({ id: "9223372036854775807" })).toEqual({ id: "9223372036854775807" });
  });

  it.each(["", "0", "4", "101", "5.0", "5e0", " 5", "05", "Infinity", "NaN", "99999999999999999999"])(
    "take no %j for a page size of 5 to 100",
    (raw) => {
      const query = shape({ max_results: pageSize({ min: 5, max: 100, default: 10 }) });
      expect(faults(() => query.parse({ max_results: raw }))).toEqual(["max_results"]);
    },
  );

  it("take 1 to 100 distinct list items", () => {
    const hundred = Array.from({ length: 100 }, (_, i) => String(i + 1));
    expect(shape({ ids }).parse({ ids: hundred.join(",") })).toEqual({ ids: hundred });
    for (const raw of [[...hundred, "101"].join(","), "1,1", "1,,2", "1,", ",", "", "1, 2"]) {
      expect(faults(() => shape({ ids }).parse({ ids: raw }))).toEqual(["ids"]);
    }
    expect(shape({ usernames }).parse({ usernames: "a,B_1" })).toEqual({ usernames: ["a", "B_1"] });
    expect(faults(() => shape({ usernames }).parse({ usernames: "a b" }))).toEqual(["usernames"]);
  });

  it("take no text that cannot be stored", () => {
    for (const raw of ["", "a\0b", "\ud800", 5, null, [], {}]) {
      expect(faults(() => shape({ text }).parse({ text: raw }))).toEqual(["text"]);
    }
    expect(shape({ text }).parse({ text: "👋 '; DROP TABLE users; --" }).text).toContain("DROP");
  });

  it("know the X API's field names, and select those that are kept", () => {
    const query = shape({
      "tweet.fields": tweetFields,
      "user.fields": userFields,
      expansions: tweetExpansions,
    });
    expect(query.parse({})).toEqual({
      "tweet.fields": { keys: [] },
      "user.fields": { keys: [] },
      expansions: { expand: [], history: false, keys: [] },
    });
    const seen = query.parse({
      "tweet.fields": "created_at,geo",
      "user.fields": "public_metrics",
      expansions: "author_id,geo.place_id",
    });
    expect(seen["tweet.fields"].keys).toEqual(["created_at"]);
    expect(seen["user.fields"].keys).toEqual(["public_metrics"]);
    expect(seen.expansions).toEqual({ expand: ["author_id"], history: false, keys: ["author_id"] });
    expect(faults(() => query.parse({ "tweet.fields": "created_at,nope" }))).toEqual(["tweet.fields"]);
    expect(faults(() => query.parse({ "user.fields": "" }))).toEqual(["user.fields"]);
  });

  it("may hold an object of a shape of its own, whose faults are named with it", () => {
    const body = shape({ text, reply: optional(part(shape({ in_reply_to_tweet_id: id }))) });
    expect(body.parse({ text: "x", reply: { in_reply_to_tweet_id: "7" } })).toEqual({
      text: "x",
      reply: { in_reply_to_tweet_id: "7" },
    });
    expect(body.parse({ text: "x" })).toEqual({ text: "x" });
    const named = (reply: unknown) => faults(() => body.parse({ text: "x", reply }));
    expect(named({ in_reply_to_tweet_id: "x", more: 1 })).toEqual([
      "reply.more",
      "reply.in_reply_to_tweet_id",
    ]);
    expect(named({})).toEqual(["reply.in_reply_to_tweet_id"]);
    expect(named({ in_reply_to_tweet_id: { deep: [[[]]] } })).toEqual(["reply.in_reply_to_tweet_id"]);
    for (const wrong of ["7", ["7"], null]) expect(named(wrong)).toEqual(["reply"]);
  });

  it("know times, and lists out of an enumeration", () => {
    const query = shape({ start_time: optional(time), exclude: optional(someOf(["replies", "retweets"])) });
    expect(query.parse({ start_time: "2026-01-02T03:04:05.678Z", exclude: "retweets,replies" })).toEqual({
      start_time: "2026-01-02T03:04:05.678Z",
      exclude: ["replies", "retweets"],
    });
    for (const wrong of ["2026-01-02", "2026-13-02T03:04:05Z", "2026-01-02T03:04:05+01:00", "now", ""])
      expect(faults(() => query.parse({ start_time: wrong }))).toEqual(["start_time"]);
    for (const wrong of ["likes", "replies,replies", "replies,", ""])
      expect(faults(() => query.parse({ exclude: wrong }))).toEqual(["exclude"]);
  });

  it("do not repeat secrets", () => {
    const { problem } = describeError(
      thrown(() =>
        shape({ password: pageSize({ min: 1, max: 2, default: 1 }) }).parse({ password: "hunter2" }),
      ),
    );
    expect(JSON.stringify(problem)).not.toContain("hunter2");
  });

  it("bound what they repeat, whatever was sent", () => {
    let deep: unknown = "x";
    for (let i = 0; i < 20_000; i++) deep = [deep];
    const { problem } = describeError(
      thrown(() => shape({ text }).parse({ text: deep, ["k".repeat(500)]: "v".repeat(5_000) })),
    );
    expect(JSON.stringify(problem).length).toBeLessThan(2_000);
  });

  it("know a pagination token by its characters", () => {
    const query = shape({ pagination_token: paginationToken });
    expect(query.parse({ pagination_token: "b2124447435361701897" })).toBeTruthy();
    expect(faults(() => query.parse({ pagination_token: "'; --" }))).toEqual(["pagination_token"]);
  });
});

function thrown(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

describe("the router", () => {
  const routes: Routed[] = [
    { method: "GET", fullPath: "/2/users/:id" },
    { method: "GET", fullPath: "/2/users/me" },
    { method: "PUT", fullPath: "/2/users/me" },
    { method: "GET", fullPath: "/2/users/by" },
    { method: "GET", fullPath: "/2/users/by/username/:username" },
    { method: "POST", fullPath: "/2/users/:id/following" },
    { method: "DELETE", fullPath: "/2/users/:source_user_id/following/:target_user_id" },
    { method: "GET", fullPath: "/2/users/:id/following" },
  ];
  const router = new Router(routes);

  it.each([
    ["GET", "/2/users/7", "/2/users/:id", { id: "7" }],
    ["HEAD", "/2/users/7", "/2/users/:id", { id: "7" }],
    ["GET", "/2/users/me", "/2/users/me", {}],
    ["GET", "/2/users/by", "/2/users/by", {}],
    ["GET", "/2/users/by/username/a%5Fb", "/2/users/by/username/:username", { username: "a_b" }],
    ["GET", "/2/users/by/following", "/2/users/:id/following", { id: "by" }],
    ["DELETE", "/2/users/1/following/2", routes[6]?.fullPath, { source_user_id: "1", target_user_id: "2" }],
  ])("%s %s", (method, path, fullPath, params) => {
    const match = router.find(path, method);
    expect(match.alias.fullPath).toBe(fullPath);
    expect(match.params).toEqual(params);
  });

  it.each([
    "/",
    "/2",
    "/2/users",
    "/2/users/",
    "/2/users/1/nope",
    "/2/users//following",
    "/2/users/1/following/2/3",
  ])("knows nothing of %s", (path) =>
    expect(describeError(thrown(() => router.find(path, "GET"))).problem.status).toBe(404),
  );

  it("says which methods a path has", () => {
    const { problem, headers } = describeError(thrown(() => router.find("/2/users/me", "DELETE")));
    expect(problem.status).toBe(405);
    expect(headers.allow).toBe("GET, HEAD, PUT");
  });

  it("names a path parameter that is not valid UTF-8", () => {
    expect(faults(() => router.find("/2/users/%ff", "GET"))).toEqual(["id"]);
  });
});
