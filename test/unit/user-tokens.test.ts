import { decodeSession, encodeSession, REVOKED } from "../../services/user/session-entry.ts";
import { makeToken, parseToken } from "../../services/user/tokens.ts";

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
