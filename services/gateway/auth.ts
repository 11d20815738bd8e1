import type { IncomingMessage, ServerResponse } from "node:http";
import type { RateClass } from "../../config/limits.ts";
import type { Ctx } from "../contracts/context.ts";
import { errorCode, RoostError } from "../contracts/errors.ts";
import type { TokenSession } from "../contracts/sessions.ts";
import { decodeSession } from "../user/sessions/session-entry.ts";
import { parseToken, type TokenRef } from "../user/sessions/tokens.ts";
import { clientIp } from "./http/client-ip.ts";
import type { Verdict } from "./local-buckets.ts";
import type { Payer, RateLimiter } from "./rate-limit.ts";
import type { ReadsAs, SessionReads } from "./session-reads.ts";

/** The class that signed-out requests to signed-in endpoints are counted under, by IP. */
const BAD_TOKENS: RateClass = "read";

/** A request and its answer. */
interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
}

/** Decides who is asking and whether they may ask now; every verdict goes out as `x-rate-limit-*` headers. */
export class Admission {
  readonly #limiter: RateLimiter;
  readonly #sessions: SessionReads;
  readonly #trustedProxies: number;

  constructor(limiter: RateLimiter, sessions: SessionReads, trustedProxies: number) {
    this.#limiter = limiter;
    this.#sessions = sessions;
    this.#trustedProxies = trustedProxies;
  }

  /** Admits a request to an endpoint without sign-in: limited by IP. Throws 429. */
  async admitAnyone(request: IncomingMessage, response: ServerResponse, rate: RateClass): Promise<void> {
    await this.#spend(response, this.#ip(request), rate);
  }

  /**
   * Admits a request with an access token: one round trip to Redis finds the session and takes from the bucket of who
   * asks. A session that Redis does not have comes from the user service. Throws 401 or 429.
   */
  async admitToken(
    ctx: Ctx,
    request: IncomingMessage,
    response: ServerResponse,
    rate: RateClass,
  ): Promise<TokenSession & { reads: ReadsAs }> {
    const token = bearerToken(request.headers.authorization);
    const ref = token === undefined ? undefined : parseToken("access", token);
    if (token === undefined || !ref) return this.#refuse(request, response, token);
    const admitted = await this.#limiter.admit(ref, rate, { withSeen: this.#sessions.matter });
    const known = decodeSession(admitted.payload);
    if (known) settle(response, admitted.verdict);
    const session = known ?? (await this.#admitByPostgres(ctx, request, response, rate, token, ref));
    const { bucket } = ref;
    const reads: ReadsAs = (method, work) => this.#sessions.run({ session, bucket, method }, admitted, work);
    return { ...session, reads };
  }

  /** Whether the access token of a request that was admitted still stands; takes nothing from a bucket. Throws what `authenticate` throws. */
  async stillStands(
    { headers }: IncomingMessage,
    authenticate: (token: string) => Promise<TokenSession | null>,
  ): Promise<boolean> {
    const token = bearerToken(headers.authorization);
    const ref = token === undefined ? undefined : parseToken("access", token);
    if (token === undefined || !ref) return false;
    const { payload } = await this.#limiter.admit(ref, "read", { cost: 0 });
    return decodeSession(payload) !== undefined || (await authenticate(token)) !== null;
  }

  async #admitByPostgres(
    ctx: Ctx,
    request: IncomingMessage,
    response: ServerResponse,
    rate: RateClass,
    token: string,
    { bucket }: TokenRef,
  ): Promise<TokenSession> {
    // Whoever sent too many bad tokens costs no further look-up.
    const budget = await this.#limiter.look(this.#ip(request), BAD_TOKENS);
    if (budget && !budget.passes) settle(response, budget);
    const session = await ctx.call("user.authenticate", { token });
    if (!session) return this.#refuse(request, response, token);
    await this.#spend(response, { session, bucket }, rate);
    return session;
  }

  /**
   * Runs `work`, which tries a password of the account with this username, unless too many were wrong lately: from this
   * address, or from all together. A right one does not count. Throws 429, in the same way whether there is such an account
   * or not, or what `work` throws.
   */
  async tryPassword<T>(
    { request, response }: Exchange,
    username: string,
    work: () => Promise<T>,
  ): Promise<T> {
    const account = username.toLowerCase();
    const refund = await this.#spendAll(response, [
      [{ account, ...this.#ip(request) }, "password"],
      [{ account }, "passwordAnywhere"],
    ]);
    let wrong = false;
    try {
      return await work();
    } catch (error) {
      wrong = ["UNAUTHORIZED", "FORBIDDEN"].includes(errorCode(error) ?? "");
      throw error;
    } finally {
      if (!wrong) await refund();
    }
  }

  /** Takes from all of these buckets, or from none and throws 429. Returns what gives it back; headers tell a refusal only. */
  async #spendAll(
    response: ServerResponse,
    buckets: readonly (readonly [Payer, RateClass])[],
  ): Promise<() => Promise<void>> {
    const spent: (readonly [Payer, RateClass])[] = [];
    const refund = async () => {
      for (const bucket of spent) await this.#limiter.refund(...bucket);
    };
    for (const bucket of buckets) {
      const verdict = await this.#limiter.spend(...bucket);
      if (verdict && !verdict.passes) {
        await refund();
        settle(response, verdict);
      }
      spent.push(bucket);
    }
    return refund;
  }

  /** Whether a client came over TLS, as far as the proxies that we trust tell. */
  isOverTls({ headers }: IncomingMessage): boolean {
    return this.#trustedProxies > 0 && headers["x-forwarded-proto"] === "https";
  }

  /** Tells a client that asks for nothing of ours what is left of the bucket of its address. Takes nothing. */
  async tell(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const verdict = await this.#limiter.look(this.#ip(request), BAD_TOKENS);
    if (verdict) settle(response, { ...verdict, passes: true });
  }

  async #refuse(
    request: IncomingMessage,
    response: ServerResponse,
    token: string | undefined,
  ): Promise<never> {
    await this.#spend(response, this.#ip(request), BAD_TOKENS);
    throw new RoostError(
      "UNAUTHORIZED",
      token === undefined
        ? "This needs the header Authorization: Bearer <access token>."
        : "The access token is malformed, unknown, revoked or expired.",
      { errors: [{ message: "is not a valid access token", parameters: { authorization: [] } }] },
    );
  }

  async #spend(response: ServerResponse, payer: Payer, rate: RateClass): Promise<void> {
    settle(response, await this.#limiter.spend(payer, rate));
  }

  #ip(request: IncomingMessage): { ip: string } {
    return { ip: clientIp(request, this.#trustedProxies) };
  }
}

function bearerToken(header: string | undefined): string | undefined {
  return header === undefined ? undefined : /^bearer +([^ ]+) *$/i.exec(header)?.[1];
}

/** Writes a verdict into the headers. Throws 429 where it refuses. */
function settle(response: ServerResponse, verdict: Verdict | undefined): void {
  if (!verdict) return;
  response.setHeader("x-rate-limit-limit", String(verdict.limit));
  response.setHeader("x-rate-limit-remaining", String(Math.max(0, verdict.remaining)));
  response.setHeader("x-rate-limit-reset", String(verdict.reset));
  if (verdict.passes) return;
  const retryAfter = Math.max(1, Math.ceil(verdict.waitMs / 1_000));
  throw new RoostError("TOO_MANY_REQUESTS", `Too many requests: the next may come in ${retryAfter} s.`, {
    retryAfter,
  });
}
