import type { Ctx } from "../../contracts/context.ts";
import { errorCode } from "../../contracts/errors.ts";
import type { RawRequest } from "../endpoint.ts";

/**
 * Exchanges a refresh token. Where it shows that new tokens did not reach the client, which hung up or is told to try
 * again, the old one may be used once more; `gives` tells whether an answer holds new tokens. What is handed to the
 * operating system counts as received.
 */
export async function delivering<T>(
  { ctx, response }: RawRequest,
  refreshToken: string,
  exchange: (ctx: Ctx) => Promise<T>,
  gives: (answer: T) => boolean = () => true,
): Promise<T> {
  // Best effort: whom nobody forgives signs in again.
  const lost = () => ctx.call("user.answerLost", { refresh_token: refreshToken }).catch(() => {});
  try {
    const answer = await exchange(ctx);
    if (gives(answer) && response.destroyed) await lost();
    return answer;
  } catch (error) {
    // Any other error may hide that the exchange was made.
    if (errorCode(error) !== "UNAUTHORIZED") await lost();
    throw error;
  }
}
