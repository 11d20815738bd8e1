import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, send } from "../support/client.ts";
import { Cluster } from "../support/cluster.ts";
import { REDIRECT } from "../support/oauth.ts";
import { eventually, Roost } from "../support/roost.ts";
import { type RegisteredApp, type Session, twitterApiSdk, xDevPlatformXdk } from "../support/sdks.ts";

describe.each([twitterApiSdk, xDevPlatformXdk])("$name, unmodified", (sdk) => {
  let roost: Roost;
  let cluster: Cluster;
  let app: RegisteredApp;
  let ann: Session;
  let bob: Session;
  let annId: string;
  let bobId: string;
  const run = randomBytes(3).toString("hex");
  const word = `word${run}`;

  beforeAll(async () => {
    roost = await Roost.start({ shards: 3, services: [] });
    cluster = await Cluster.start(roost.env);
    const developer = await Client.signUp(cluster.url, `dev_${run}`);
    const registered = await developer.request("POST", "/auth/apps", {
      ...{ name: `An app ${run}`, redirect_uris: [REDIRECT], type: "confidential" },
    });
    app = registered.body.data as RegisteredApp; // the contract of 201
  });
  afterAll(async () => {
    await cluster.stop();
    await roost.stop();
  });

  it("signs people in with PKCE", async () => {
    const [a, b] = await Promise.all([
      Client.signUp(cluster.url, `ann_${run}`),
      Client.signUp(cluster.url, `bob_${run}`),
    ]);
    [annId, bobId] = [a.id, b.id];
    [ann, bob] = [await sdk.signIn(cluster.url, app, a), await sdk.signIn(cluster.url, app, b)];
    expect(await ann.me()).toMatchObject({ id: annId, username: a.username });
    expect(await bob.me()).toMatchObject({ id: bobId, username: b.username });
  });

  it("follows, tweets, replies, quotes, likes and retweets", async () => {
    expect(await ann.follow(annId, bobId)).toBe(true);
    expect((await bob.followers(bobId)).map(({ id }) => id)).toEqual([annId]);
    const first = await bob.tweet(`one ${word}`);
    const reply = await ann.tweet(`@bob_${run} indeed`, { replyTo: first });
    const quote = await ann.tweet("look at this", { quote: first });
    expect(await ann.like(annId, first)).toBe(true);
    expect((await bob.likers(first)).map(({ id }) => id)).toEqual([annId]);
    expect(await ann.retweet(annId, first)).toBe(true);
    expect((await bob.mentions(bobId)).map(({ id }) => id)).toEqual([reply]);
    const own = (await ann.tweetsOf(annId)).map(({ id }) => id);
    expect(own.slice(1)).toEqual([quote, reply]);
    expect(await ann.unlike(annId, first)).toBe(false);
    expect(await bob.likers(first)).toEqual([]);
  });

  it("pages through a home timeline and through what a search finds", async () => {
    const more: string[] = [];
    for (let i = 0; i < 12; i++) more.unshift(await bob.tweet(`more ${i} ${word}`));
    await eventually(async () => {
      const home = (await ann.home(annId, 5)).map(({ id }) => id);
      return more.every((id) => home.includes(id)) && new Set(home).size === home.length;
    }, "the home timeline");
    const found = (await ann.search(`from:bob_${run} ${word} more`)).map(({ id }) => id);
    expect(found).toEqual(more);
  });

  it("receives what matches a rule as it is written", async () => {
    const basic = Buffer.from(`${app.client_id}:${app.client_secret}`).toString("base64");
    const granted = await send(cluster.url, "POST", "/2/oauth2/token", {
      body: "grant_type=client_credentials",
      headers: { authorization: `Basic ${basic}`, "content-type": "application/x-www-form-urlencoded" },
    });
    const { access_token } = granted.body as { access_token?: string }; // the contract of 200
    const rules = [{ value: `live${run} from:bob_${run}`, tag: "bob live" }];
    const end = new AbortController();
    const stream = sdk.stream(cluster.url, access_token ?? "", rules, end.signal);
    const first = stream.next();
    // Whatever is written once the stream is open is delivered: so at some time one of these.
    const written = new Set<string>();
    let delivered = false;
    const writing = (async () => {
      while (!delivered) {
        written.add(await bob.tweet(`live${run} at last`));
        await sleep(500);
      }
    })();
    const { value } = await first.finally(() => {
      delivered = true;
    });
    await writing;
    end.abort();
    await stream.return(undefined).catch(() => {});
    expect(value).toMatchObject({ tweet: { text: `live${run} at last` }, tags: ["bob live"] });
    expect(written).toContain(value?.tweet.id);
  });

  it("undoes it all, and goes on with new tokens", async () => {
    await ann.refresh();
    const [latest] = await bob.tweetsOf(bobId);
    expect(await bob.delete(latest?.id ?? "")).toBe(true);
    expect(await ann.unfollow(annId, bobId)).toBe(false);
    expect((await ann.home(annId, 100)).some(({ id }) => id === latest?.id)).toBe(false);
    expect(await bob.followers(bobId)).toEqual([]);
  });
});
