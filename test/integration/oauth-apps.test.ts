import { limits } from "../../config/limits.ts";
import { bucketOf } from "../../mixins/shard-db/ids.ts";
import { sql } from "../../mixins/shard-db/index.ts";
import { gatewayPort } from "../../services/gateway/gateway.service.ts";
import { Client, send } from "../support/client.ts";
import { REDIRECT } from "../support/oauth.ts";
import { appsOf, basic, newName } from "../support/oauth-apps.ts";
import { eventually, Roost } from "../support/roost.ts";

let roost: Roost;
let url: string;
let developer: Client;
const { register, post, tokensFor, refresh, get } = appsOf(() => url);

beforeAll(async () => {
  roost = await Roost.start({ services: ["user", "graph", "tweet", "timeline", "gateway"], shards: 3 });
  url = `http://127.0.0.1:${gatewayPort(roost.broker)}`;
  developer = await Client.signUp(url, newName());
});
afterAll(() => roost.stop());

describe("an app that is deleted", () => {
  it("ends with all of its sessions, on every shard", async () => {
    const app = await register("public");
    const given = await Promise.all([tokensFor(app), tokensFor(app), tokensFor(app), tokensFor(app)]);
    expect((await app.owner.request("DELETE", `/auth/apps/${app.client_id}`)).body.data).toEqual({
      deleted: true,
    });
    for (const { tokens } of given) {
      expect((await refresh(app, tokens.refresh_token)).body.error).toBe("invalid_client");
      await eventually(
        async () => (await get("/2/users/me", tokens.access_token)).status === 401,
        "the token ends",
      );
    }
    const { body } = await app.owner.request("GET", "/auth/apps");
    expect(JSON.stringify(body.data)).not.toContain(app.client_id);
  });

  it("takes the rules of its streams along, those too that were being added meanwhile", async () => {
    const app = await register("confidential");
    const { body } = await post("/2/oauth2/token", { grant_type: "client_credentials" }, basic(app));
    const added = await send(url, "POST", "/2/tweets/search/stream/rules", {
      body: { add: [{ value: "cats" }] },
      headers: { authorization: `Bearer ${body.access_token}` },
    });
    expect(added.status).toBeLessThan(300);
    const { db } = roost.resources;
    const { owner, client_id } = app;
    const rules = () => db.read(owner, sql`SELECT id FROM stream_rules WHERE owner = ${client_id}`);
    expect(await rules()).toHaveLength(1);
    await owner.request("DELETE", `/auth/apps/${client_id}`);
    expect(await rules()).toEqual([]);
    await roost.settle();
    const bucket = bucketOf(owner.id);
    await db.write(
      owner,
      sql`INSERT INTO stream_rules (id, owner, value) VALUES (next_id(${bucket}), ${client_id}, 'late')
          RETURNING enqueue(${bucket}, 'app', ${JSON.stringify({ client_id, last: true })}::jsonb)`,
    );
    await eventually(async () => (await rules()).length === 0, "the late rule is erased");
  });

  it("is nobody else's to delete, or to change", async () => {
    const app = await register("confidential");
    const other = await Client.signUp(url, newName());
    expect((await other.request("DELETE", `/auth/apps/${app.client_id}`)).status).toBe(404);
    expect((await other.request("POST", `/auth/apps/${app.client_id}/secret`)).status).toBe(404);
  });
});

describe("registration", () => {
  it.each([
    "http://example.org/cb",
    "https://example.org/cb#part",
    "javascript:alert(1)",
    "https://user:pw@example.org/",
    "not a uri",
  ])("refuses to send people to %s", async (uri) => {
    const wish = { name: "App", redirect_uris: [uri], type: "public" };
    const { status, body } = await developer.request("POST", "/auth/apps", wish);
    expect(status).toBe(400);
    expect(body.errors?.[0]?.parameters).toHaveProperty("redirect_uris");
  });

  it.each(["Trust\u202eme", "Trust\u2066me", "Trust\u0000me"])("refuses the name %j", async (name) => {
    const wish = { name, redirect_uris: [REDIRECT], type: "public" };
    const { status, body } = await developer.request("POST", "/auth/apps", wish);
    expect(status).toBe(400);
    expect(body.errors?.[0]?.parameters).toHaveProperty("name");
  });

  it("ends at a number of apps, however many are asked for at a time", async () => {
    const owner = await Client.signUp(url, newName());
    const wish = { name: "App", redirect_uris: [REDIRECT], type: "public" };
    const answers = await Promise.all(
      Array.from({ length: limits.appsPerUser + 4 }, () => owner.request("POST", "/auth/apps", wish)),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([...new Array(limits.appsPerUser).fill(201), ...new Array(4).fill(409)]);
  });

  it("keeps secrets as hashes", async () => {
    const app = await register("confidential");
    const rows = await roost.resources.db.readAll(
      sql<{ stored: string }>`SELECT apps::text AS stored FROM apps`,
    );
    expect(JSON.stringify(rows)).not.toContain(app.client_secret);
  });
});

it("all of this leaves nothing for an audit to find", async () => {
  await roost.settle();
  expect(await roost.audit()).toEqual([]);
});
