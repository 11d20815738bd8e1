import { randomUUID } from "node:crypto";
import { connect } from "node:net";
import { type Dispatcher, request } from "undici";
import { sql } from "../../mixins/shard-db/index.ts";
import { gatewayPort } from "../../services/gateway/gateway.service.ts";
import { eventually, Roost } from "../support/roost.ts";
import { serverUrl } from "../support/servers.ts";
import { expectDocumented } from "../support/x-api.ts";

/** Whatever is sent: a 4xx problem that names the field, never a 500, and nothing is changed by it. */
interface Hostile {
  what: string;
  method?: Dispatcher.HttpMethod;
  path: string | (() => string);
  body?: string | Buffer | object | (() => object);
  headers?: Record<string, string>;
  /** "mine" unless it says otherwise. */
  token?: "mine" | "none" | "expired" | string;
  status: number;
  /** The parameter that the problem names. */
  field?: string;
}

const password = "correct horse";
const SQL = "'; DROP TABLE users; --";
const deep = (levels: number) => `{"text":${"[".repeat(levels)}${"]".repeat(levels)}}`;

interface Someone {
  id: string;
  token: string;
  refresh: string;
}

let roost: Roost;
let url: string;
let me: Someone;
let other: Someone;
let expired: string;
let theirTweet: string;
let before: string;

async function post(path: string, body: object, token?: string): Promise<Record<string, unknown>> {
  const headers = {
    "content-type": "application/json",
    ...(token ? { authorization: `Bearer ${token}` } : {}),
  };
  const answer = await request(url + path, { method: "POST", body: JSON.stringify(body), headers });
  expect(answer.statusCode).toBeLessThan(300);
  return Object(await answer.body.json());
}

async function signUp(username: string): Promise<Someone> {
  const { data, access_token, refresh_token } = await post("/auth/signup", {
    username,
    name: username,
    password,
  });
  return { id: Object(data).id, token: String(access_token), refresh: String(refresh_token) };
}

/** Everything that is stored, as one text. */
async function everything(): Promise<string> {
  const rows = await roost.resources.db.readAll(sql<{ stored: string }>`
    SELECT string_agg(t, chr(10) ORDER BY t) stored FROM (
      SELECT 'users' || u::text t FROM users u UNION ALL SELECT 'credentials' || c::text FROM credentials c
      UNION ALL SELECT 'sessions' || s::text FROM sessions s UNION ALL SELECT 'edges' || e::text FROM edges e
      UNION ALL SELECT 'inverse' || i::text FROM inverse_edges i UNION ALL SELECT 'tweets' || w::text FROM tweets w
      UNION ALL SELECT 'keys' || k::text FROM idempotency_keys k UNION ALL SELECT 'outbox' || o::text FROM outbox o
      UNION ALL SELECT 'dead' || d::text FROM dead_letters d) everything`);
  return rows.map(({ stored }) => stored).join("\n");
}

const long = "x".repeat(65 * 1024);
const follow = () => `/2/users/${me.id}/following`;
const home = (query: string) => () => `/2/users/${me.id}/timelines/reverse_chronological?${query}`;

// biome-ignore format: a request a line
const table: Hostile[] = [
  // Sign-up and sign-in
  { what: "number for a username", path: "/auth/signup", body: { username: 5, name: "x", password }, status: 400, field: "username" },
  { what: "array for a username", path: "/auth/signup", body: { username: ["a"], name: "x", password }, status: 400, field: "username" },
  { what: "object for a password", path: "/auth/signup", body: { username: "a", name: "x", password: { $ne: "" } }, status: 400, field: "password" },
  { what: "null for a name", path: "/auth/signup", body: { username: "a", name: null, password }, status: 400, field: "name" },
  { what: "SQL in the username", path: "/auth/signup", body: { username: SQL, name: "x", password }, status: 400, field: "username" },
  { what: "a username of 16 letters", path: "/auth/signup", body: { username: "a".repeat(16), name: "x", password }, status: 400, field: "username" },
  { what: "a username in look-alike letters", path: "/auth/signup", body: { username: "аdmin", name: "x", password }, status: 400, field: "username" },
  { what: "a username with a line break", path: "/auth/signup", body: { username: "admin\n", name: "x", password }, status: 400, field: "username" },
  { what: "a NUL in the name", path: "/auth/signup", body: { username: "a", name: "a\0b", password }, status: 400, field: "name" },
  { what: "half a surrogate pair in the name", path: "/auth/signup", body: '{"username":"a","name":"\\ud800","password":"correct horse"}', status: 400, field: "name" },
  { what: "a password of 129 letters", path: "/auth/signup", body: { username: "a", name: "x", password: "p".repeat(129) }, status: 400, field: "password" },
  { what: "a taken handle in capitals", path: "/auth/signup", body: { username: "VICTIM", name: "x", password }, status: 409, field: "username" },
  { what: "an extra field", path: "/auth/signup", body: { username: "a", name: "x", password, verified: true }, status: 400, field: "verified" },
  { what: "an id of one's own choice", path: "/auth/signup", body: { username: "a", name: "x", password, id: "1" }, status: 400, field: "id" },
  { what: "__proto__ in a body", path: "/auth/signup", body: '{"username":"a","name":"x","password":"correct horse","__proto__":{"admin":true}}', status: 400, field: "__proto__" },
  { what: "a body by prototype only", path: "/auth/signup", body: '{"__proto__":{"username":"a","name":"x","password":"correct horse"}}', status: 400, field: "username" },
  { what: "constructor.prototype in a body", path: "/auth/login", body: '{"username":"victim","password":"x","constructor":{"prototype":{"a":1}}}', status: 400, field: "constructor" },
  { what: "SQL in the log-in", path: "/auth/login", body: { username: "victim", password: "' OR 1=1 --" }, status: 401 },
  { what: "SQL in the log-in's username", path: "/auth/login", body: { username: "victim' OR '1'='1", password }, status: 400, field: "username" },
  { what: "an array of one username", path: "/auth/login", body: { username: ["victim"], password }, status: 400, field: "username" },
  { what: "nothing at all", path: "/auth/login", method: "POST", status: 400, field: "username" },
  { what: "a refresh token that is none", path: "/auth/refresh", body: { refresh_token: SQL }, status: 401 },
  { what: "an access token to refresh with", path: "/auth/refresh", body: () => ({ refresh_token: me.token }), status: 401 },

  // Bodies
  { what: "a JSON array", path: "/auth/login", body: "[]", status: 400, field: "body" },
  { what: "a JSON string", path: "/auth/login", body: '"hello"', status: 400, field: "body" },
  { what: "JSON null", path: "/auth/login", body: "null", status: 400, field: "body" },
  { what: "cut-off JSON", path: "/2/tweets", body: '{"text":"a', status: 400, field: "body" },
  { what: "two JSON values", path: "/2/tweets", body: '{"text":"a"}{"text":"b"}', status: 400, field: "body" },
  { what: "bad UTF-8", path: "/2/tweets", body: Buffer.from([0x7b, 0x22, 0x74, 0x22, 0x3a, 0x22, 0xff, 0xfe, 0x22, 0x7d]), status: 400, field: "body" },
  { what: "an overlong UTF-8 slash", path: "/2/tweets", body: Buffer.concat([Buffer.from('{"text":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]), status: 400, field: "body" },
  { what: "a huge body", path: "/2/tweets", body: { text: long }, status: 413, field: "body" },
  { what: "a body of 5 MB", path: "/2/tweets", body: { text: "x".repeat(5_000_000) }, status: 413, field: "body" },
  { what: "a form", path: "/2/tweets", body: "text=a", headers: { "content-type": "application/x-www-form-urlencoded" }, status: 415, field: "content-type" },
  { what: "no content type", path: "/2/tweets", body: '{"text":"a"}', headers: { "content-type": "" }, status: 415, field: "content-type" },
  { what: "UTF-16", path: "/2/tweets", body: Buffer.from('{"text":"a"}', "utf16le"), headers: { "content-type": "application/json; charset=utf-16" }, status: 415, field: "content-type" },
  { what: "a compressed body", path: "/2/tweets", body: '{"text":"a"}', headers: { "content-encoding": "gzip" }, status: 415, field: "content-encoding" },
  { what: "a thousand levels", path: "/2/tweets", body: deep(1_000), status: 400, field: "text" },
  { what: "thirty thousand levels", path: "/2/tweets", body: deep(30_000), status: 400, field: "text" },

  // Tokens
  { what: "no token", path: "/2/users/me", token: "none", status: 401, field: "authorization" },
  { what: "an expired token", path: "/2/users/me", token: "expired", status: 401, field: "authorization" },
  { what: "a malformed token", path: "/2/users/me", token: SQL, status: 401, field: "authorization" },
  { what: "a token of a bucket that is none", path: "/2/users/me", token: `ra_fff_${"A".repeat(43)}`, status: 401, field: "authorization" },
  { what: "a token nobody has", path: "/2/users/me", token: `ra_000_${"A".repeat(43)}`, status: 401, field: "authorization" },
  { what: "a token of 8 KB", path: "/2/users/me", token: "A".repeat(8_000), status: 401, field: "authorization" },
  { what: "Basic authentication", path: "/2/users/me", token: "none", headers: { authorization: "Basic dmljdGltOng=" }, status: 401, field: "authorization" },
  { what: "a viewer of one's own choice", path: "/2/users/me", token: "none", headers: { "x-viewer": "1", "x-user-id": "1" }, status: 401, field: "authorization" },

  // Ids
  { what: "a negative id", path: "/2/users/-1", status: 400, field: "id" },
  { what: "an id of 64 bits", path: "/2/users/9223372036854775808", status: 400, field: "id" },
  { what: "an id of 40 digits", path: `/2/users/${"9".repeat(40)}`, status: 400, field: "id" },
  { what: "a fraction", path: "/2/tweets/1.5", status: 400, field: "id" },
  { what: "a hexadecimal id", path: "/2/tweets/0x10", status: 400, field: "id" },
  { what: "SQL for an id", path: `/2/tweets/${encodeURIComponent("1 OR 1=1")}`, status: 400, field: "id" },
  { what: "SQL for a username", path: `/2/users/by/username/${encodeURIComponent(SQL)}`, status: 400, field: "username" },
  { what: "bad percent-encoding in the path", path: "/2/users/%E0%A4%A", status: 400, field: "id" },
  { what: "a NUL in the path", path: "/2/users/%00", status: 400, field: "id" },
  { what: "a traversal", path: "/2/users/..%2F..%2Fetc%2Fpasswd", status: 400, field: "id" },
  { what: "101 ids", path: `/2/users?ids=${Array.from({ length: 101 }, (_, i) => i + 1)}`, status: 400, field: "ids" },
  { what: "an id twice", path: "/2/tweets?ids=1,1", status: 400, field: "ids" },
  { what: "no ids", path: "/2/tweets", status: 400, field: "ids" },
  { what: "empty ids", path: "/2/tweets?ids=", status: 400, field: "ids" },
  { what: "SQL among the ids", path: `/2/tweets?ids=${encodeURIComponent("1,2); DELETE FROM tweets; --")}`, status: 400, field: "ids" },
  { what: "SQL among the usernames", path: `/2/users/by?usernames=${encodeURIComponent(SQL)}`, status: 400, field: "usernames" },

  // Queries
  { what: "a page of 0", path: home("max_results=0"), status: 400, field: "max_results" },
  { what: "a page of -1", path: home("max_results=-1"), status: 400, field: "max_results" },
  { what: "a page of 1e2", path: home("max_results=1e2"), status: 400, field: "max_results" },
  { what: "a page of a billion", path: home("max_results=1000000000"), status: 400, field: "max_results" },
  { what: "a page size twice", path: home("max_results=5&max_results=6"), status: 400, field: "max_results" },
  { what: "a page size as an array", path: home("max_results[]=5"), status: 400, field: "max_results[]" },
  { what: "a page size as an object", path: home("max_results[$gt]=5"), status: 400, field: "max_results[$gt]" },
  { what: "__proto__ in a query", path: home("__proto__=1"), status: 400, field: "__proto__" },
  { what: "a polluting query", path: home("__proto__[admin]=1"), status: 400, field: "__proto__[admin]" },
  { what: "a page token that is none", path: home("pagination_token=zzz"), status: 400, field: "pagination_token" },
  { what: "SQL for a page token", path: home(`pagination_token=${encodeURIComponent(SQL)}`), status: 400, field: "pagination_token" },
  { what: "SQL for since_id", path: home(`since_id=${encodeURIComponent(SQL)}`), status: 400, field: "since_id" },
  { what: "an unknown field name", path: home("tweet.fields=password_hash"), status: 400, field: "tweet.fields" },
  { what: "an unknown expansion", path: home("expansions=credentials"), status: 400, field: "expansions" },
  { what: "an unknown parameter", path: home("debug=true"), status: 400, field: "debug" },
  { what: "someone else's viewer id", path: home("viewer=1&user_id=2"), status: 400, field: "user_id" },
  { what: "bad UTF-8 in a query", path: home("since_id=%ff"), status: 400, field: "since_id" },

  // Tweets
  { what: "an empty tweet", path: "/2/tweets", body: { text: "" }, status: 400, field: "text" },
  { what: "a blank tweet", path: "/2/tweets", body: { text: "   " }, status: 400, field: "text" },
  {
    what: "what twitter-text takes seconds for",
    path: "/2/tweets",
    body: { text: "あ.".repeat(12_500) },
    status: 400,
    field: "text",
  },
  { what: "281 characters", path: "/2/tweets", body: { text: "x".repeat(281) }, status: 400, field: "text" },
  { what: "a NUL in a tweet", path: "/2/tweets", body: { text: "a\0b" }, status: 400, field: "text" },
  { what: "half a surrogate pair in a tweet", path: "/2/tweets", body: '{"text":"\\udc00"}', status: 400, field: "text" },
  { what: "an author of one's own choice", path: "/2/tweets", body: () => ({ text: "a", author_id: other.id }), status: 400, field: "author_id" },
  { what: "an idempotency key of 129 letters", path: "/2/tweets", body: { text: "a" }, headers: { "idempotency-key": "k".repeat(129) }, status: 400, field: "idempotency-key" },
  { what: "an idempotency key in Latin-1", path: "/2/tweets", body: { text: "a" }, headers: { "idempotency-key": "clé" }, status: 400, field: "idempotency-key" },

  // Other people's resources
  { what: "deleting another's tweet", method: "DELETE", path: () => `/2/tweets/${theirTweet}`, status: 403, field: "id" },
  { what: "reading another's home timeline", path: () => `/2/users/${other.id}/timelines/reverse_chronological`, status: 403, field: "id" },
  { what: "reading another's blocks", path: () => `/2/users/${other.id}/blocking`, status: 403, field: "id" },
  { what: "reading another's mutes", path: () => `/2/users/${other.id}/muting`, status: 403, field: "id" },
  { what: "following as another", path: () => `/2/users/${other.id}/following`, body: () => ({ target_user_id: me.id }), status: 403, field: "id" },
  { what: "unfollowing as another", method: "DELETE", path: () => `/2/users/${other.id}/following/${me.id}`, status: 403, field: "source_user_id" },
  { what: "blocking as another", path: () => `/2/users/${other.id}/blocking`, body: () => ({ target_user_id: me.id }), status: 403, field: "id" },
  { what: "following oneself", path: follow, body: () => ({ target_user_id: me.id }), status: 400, field: "target_user_id" },
  { what: "following nobody", path: follow, body: { target_user_id: "12" }, status: 404, field: "target_user_id" },
  { what: "following a number", path: follow, body: { target_user_id: 12 }, status: 400, field: "target_user_id" },
  { what: "following a list", path: follow, body: { target_user_id: ["12"] }, status: 400, field: "target_user_id" },
  { what: "following SQL", path: follow, body: { target_user_id: SQL }, status: 400, field: "target_user_id" },
  { what: "a script for a web address", method: "PUT", path: "/2/users/me", body: { url: "javascript:alert(1)" }, status: 400, field: "url" },
  { what: "null for one's name", method: "PUT", path: "/2/users/me", body: { name: null }, status: 400, field: "name" },
  { what: "another handle", method: "PUT", path: "/2/users/me", body: { username: "root" }, status: 400, field: "username" },

  // Routes
  { what: "an unknown route", path: "/2/nothing", status: 404 },
  { what: "an action's name for a route", path: "/user/get", status: 404 },
  { what: "the node's internals", path: "/~node/health", status: 404 },
  { what: "a wrong method", method: "DELETE", path: "/2/users/me", status: 405 },
  { what: "a tunnelled method", path: () => `/2/tweets/${theirTweet}`, method: "POST", headers: { "x-http-method-override": "DELETE" }, status: 405 },
];

async function send({ method, path, body, headers, token = "mine" }: Hostile) {
  const payload = typeof body === "function" ? body() : body;
  const bearer = token === "mine" ? me.token : token === "expired" ? expired : token;
  const verb = method ?? (payload === undefined ? "GET" : "POST");
  const asked = typeof path === "function" ? path() : path;
  const answer = await request(url + asked, {
    method: verb,
    headers: {
      ...(token === "none" ? {} : { authorization: `Bearer ${bearer}` }),
      ...(payload === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    body: typeof payload === "object" && !Buffer.isBuffer(payload) ? JSON.stringify(payload) : payload,
  });
  const { statusCode: status, headers: answered } = answer;
  const type = String(answered["content-type"]);
  const problem = Object(await answer.body.json());
  expectDocumented(verb, asked, { status, type, body: problem });
  return { status, type, problem };
}

it(`covers more than 40 requests (${table.length})`, () => expect(table.length).toBeGreaterThan(40));

describe.each([
  ["in one process", ["user", "graph", "tweet", "timeline", "gateway"]],
  ["with the gateway behind NATS", ["user", "graph", "tweet", "timeline"]],
] as const)("%s", (_, services) => {
  beforeAll(async () => {
    const split = { NATS_URL: serverUrl("NATS"), NAMESPACE: `hostile-${randomUUID()}` };
    const isWhole = services.length === 5;
    roost = await Roost.start({ shards: 2, services: [...services], env: isWhole ? {} : split });
    const { broker } = isWhole ? roost : await roost.addNode({ SERVICES: "gateway" });
    url = `http://127.0.0.1:${gatewayPort(broker)}`;
    await eventually(
      async () => (await request(`${url}/health/ready`)).statusCode === 200,
      "the gateway is ready",
    );
    [me, other] = [await signUp("mallory"), await signUp("victim")];
    const gone = await signUp("gone");
    expired = gone.token;
    await roost.resources.db.write(
      gone,
      sql`UPDATE sessions SET access_expires = now() - interval '1s' WHERE user_id = ${gone.id}`,
    );
    await post(`/2/users/${other.id}/following`, { target_user_id: me.id }, other.token);
    const { data } = await post("/2/tweets", { text: "mine, not yours" }, other.token);
    theirTweet = Object(data).id;
    await roost.settle();
    before = await everything();
  });
  afterAll(() => roost.stop());

  it.each(table.map((hostile) => [hostile.what, hostile] as const))("%s", async (_, hostile) => {
    const { status, type, problem } = await send(hostile);
    expect({ status, problem }).toMatchObject({ status: hostile.status });
    expect(type).toMatch(/^application\/problem\+json/);
    expect(problem).toMatchObject({
      status,
      title: expect.any(String),
      type: expect.any(String),
      detail: expect.any(String),
    });
    if (hostile.field !== undefined) {
      const errors: { parameters: object }[] = problem.errors;
      expect(errors.flatMap(({ parameters }) => Object.keys(parameters))).toContain(hostile.field);
    }
    expect(JSON.stringify(problem)).not.toMatch(/node_modules|\.ts:|SELECT|pg_|correct horse/);
  });

  it.each([
    ["no HTTP at all", "hello\r\n\r\n"],
    ["a header with a line break smuggled in", "GET /health/live HTTP/1.1\r\nhost: a\r\nx: a\nb: c\r\n\r\n"],
    [
      "two lengths",
      "POST /auth/login HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    ],
    [
      "a length and chunks",
      "POST /auth/login HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ["64 KB of headers", `GET /health/live HTTP/1.1\r\nhost: a\r\n${"x: y\r\n".repeat(11_000)}\r\n`],
  ])("on the wire: %s", async (_, bytes) => {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(new URL(url).port), "127.0.0.1", () => socket.write(bytes));
      let text = "";
      socket.on("data", (chunk) => {
        text += chunk;
      });
      socket.once("close", () => resolve(text)).once("error", reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(answer).toContain("application/problem+json");
  });

  it("has changed nothing", async () => {
    await roost.settle();
    expect(await everything()).toBe(before);
    const { status } = await send({ what: "still signed in", path: "/2/users/me", status: 200 });
    expect(status).toBe(200);
  });
});
