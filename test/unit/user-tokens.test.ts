import { decodeSession, encodeSession, REVOKED } from "../../services/user/sessions/session-entry.ts";
import {
  appToken,
  bucketOfClient,
  makeClientId,
  makeRefreshToken,
  makeToken,
  parseRefreshToken,
  parseToken,
} from "../../services/user/sessions/tokens.ts";

describe("tokens", () => {
  it("carry their bucket and are looked up by a hash", () => {
    const token = makeToken("access", 1023);
    expect(token).toMatch(/^ra_3ff_[A-Za-z0-9_-]{43}$/);
    const ref = parseToken("access", token);
    expect(ref?.bucket).toBe(1023);
    expect(ref?.hash).toHaveLength(43);
    expect(token).not.toContain(ref?.hash);
    expect(makeToken("access", 1023)).not.toBe(token);
  });

  it.each([
    "",
    "ra",
    "ra_000_",
    `ra_400_${"A".repeat(43)}`,
    `ra_0FF_${"A".repeat(43)}`,
    `ra_00_${"A".repeat(43)}`,
    `ra_000_${"A".repeat(42)}`,
    `ra_000_${"A".repeat(44)}`,
    `ra_000_${"A".repeat(42)}+`,
    `ra_000_${"A".repeat(43)}\n`,
    `rr_000_${"A".repeat(43)}`,
    ` ra_000_${"A".repeat(43)}`,
  ])("refuse %j", (token) => {
    expect(parseToken("access", token)).toBeUndefined();
  });
});

describe("refresh tokens", () => {
  it("of a session have something in common, of which nothing else is made", () => {
    const first = makeRefreshToken(1023);
    const [one, next] = [parseRefreshToken(first), parseRefreshToken(makeRefreshToken(1023, first))];
    expect(one).toMatchObject({ bucket: 1023, family: expect.any(String) });
    expect(next?.family).toBe(one?.family);
    expect(next?.hash).not.toBe(one?.hash);
    expect(parseRefreshToken(makeRefreshToken(1023))?.family).not.toBe(one?.family);
    expect(first).not.toContain(one?.family);
  });

  it.each([
    "",
    "rr_000_",
    `rr_000_${"A".repeat(43)}`,
    `rr_400_${"A".repeat(65)}`,
    `ra_000_${"A".repeat(65)}`,
  ])("are not %j", (token) => expect(parseRefreshToken(token)).toBeUndefined());
});

describe("client ids", () => {
  it("carry the bucket of their owner", () => expect(bucketOfClient(makeClientId(1023))).toBe(1023));

  it.each(["", "rc_3ff_", `rc_400_${"A".repeat(22)}`, `rc_3ff_${"A".repeat(23)}`, "AAAAAAAAAAAAAAAAAAAAAAA"])(
    "are not %j",
    (clientId) => expect(bucketOfClient(clientId)).toBeUndefined(),
  );
});

describe("an app's own token", () => {
  it("is made of its secret and a seed, and of both", () => {
    const token = appToken(5, "secret", "seed");
    expect(parseToken("access", token)?.bucket).toBe(5);
    expect(appToken(5, "secret", "seed")).toBe(token);
    expect(appToken(5, "other", "seed")).not.toBe(token);
    expect(appToken(5, "secret", "other")).not.toBe(token);
  });
});

describe("session entries", () => {
  const viewer = { userId: "2124447432056205312", sessionId: "3aecdfa2-1a1b-4065-b0b8-de6f1cd7b7bf" };
  const now = 1_795_349_050_545;

  it("come back as they were stored", () => {
    expect(decodeSession(encodeSession(viewer, now + 1), now)).toEqual({ ...viewer, expiresAt: now + 1 });
  });

  it.each([
    { ...viewer, clientId: "rc_000_AAAAAAAAAAAAAAAAAAAAAA", scopes: ["tweet.read", "users.read"] as const },
    { ...viewer, scopes: [] },
    { sessionId: viewer.sessionId, clientId: "rc_3ff_AAAAAAAAAAAAAAAAAAAAAA", scopes: [] },
  ])("carry an app and what it was granted: %j", (session) => {
    const stored = encodeSession({ ...session, scopes: [...session.scopes] }, now + 1);
    expect(decodeSession(stored, now)).toEqual({ ...session, expiresAt: now + 1 });
  });

  it("begin with the user's 19 digits, which the admission script reads", () => {
    expect(encodeSession(viewer, now).slice(0, 19)).toBe(viewer.userId);
  });

  it.each([encodeSession(viewer, now), encodeSession(viewer, now - 1), REVOKED, "", "nonsense"])(
    "are no session when expired, revoked or strange: %j",
    (payload) => expect(decodeSession(payload, now)).toBeUndefined(),
  );
});
