import { Pool } from "undici";

const CONNECT_MS = 5_000;
const ANSWER_MS = 30_000;
const SHOWN = 300;

/** A request that was not answered with 2xx. */
export class RequestError extends Error {
  override name = "RequestError";
  /** The HTTP status, or the code of a transport error. */
  readonly status: string;

  constructor(request: string, status: string, answer: string) {
    super(`${request} → ${status} ${answer.slice(0, SHOWN)}`.trimEnd());
    this.status = status;
  }
}

/** A person of the graph who has an account. */
export interface Person {
  id: string;
  username: string;
  token: string;
}

/** One page of a timeline, as far as the load looks at it. */
export interface Page {
  ids: string[];
  resultCount: number;
  nextToken: string | undefined;
}

export interface PageQuery {
  max_results: number;
  since_id?: string;
  until_id?: string;
  pagination_token?: string;
}

interface PageBody {
  data?: { id: string }[];
  meta: { result_count: number; next_token?: string };
}

/**
 * Roost's API over kept-alive connections. Every method rejects with RequestError where the answer is not 2xx or does
 * not come within 30 s; nothing is sent twice.
 */
export class ApiClient {
  readonly #pool: Pool;

  constructor(url: string, connections: number) {
    this.#pool = new Pool(url, {
      connections,
      pipelining: 1,
      connect: { timeout: CONNECT_MS },
      headersTimeout: ANSWER_MS,
      bodyTimeout: ANSWER_MS,
    });
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }

  async signUp(username: string, name: string, password: string): Promise<Person> {
    const answer = await this.#send<{ data: { id: string }; access_token: string }>("POST", "/auth/signup", {
      body: { username, name, password },
    });
    return { id: answer.data.id, username, token: answer.access_token };
  }

  async follow(follower: Person, followee: Person): Promise<void> {
    await this.#send("POST", `/2/users/${follower.id}/following`, {
      token: follower.token,
      body: { target_user_id: followee.id },
    });
  }

  /** Returns the tweet's id. */
  async tweet(author: Person, text: string): Promise<string> {
    const answer = await this.#send<{ data: { id: string } }>("POST", "/2/tweets", {
      token: author.token,
      body: { text },
    });
    return answer.data.id;
  }

  homePage(viewer: Person, query: PageQuery): Promise<Page> {
    return this.#page(`/2/users/${viewer.id}/timelines/reverse_chronological`, viewer, query);
  }

  userPage(viewer: Person, author: Person, query: PageQuery): Promise<Page> {
    return this.#page(`/2/users/${author.id}/tweets`, viewer, query);
  }

  /** Which of these tweets (at most 100) there are. */
  async tweets(viewer: Person, ids: readonly string[]): Promise<string[]> {
    const answer = await this.#send<{ data?: { id: string }[] }>("GET", `/2/tweets?ids=${ids.join(",")}`, {
      token: viewer.token,
    });
    return (answer.data ?? []).map(({ id }) => id);
  }

  /** Whom a person follows: the ids of a page of at most 1,000, and the token of the next. */
  async following(person: Person, after?: string): Promise<Page> {
    const query = { max_results: 1_000, ...(after === undefined ? {} : { pagination_token: after }) };
    return this.#page(`/2/users/${person.id}/following`, person, query);
  }

  async #page(path: string, viewer: Person, query: PageQuery): Promise<Page> {
    const search = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
    const answer = await this.#send<PageBody>("GET", `${path}?${search.join("&")}`, { token: viewer.token });
    return {
      ids: (answer.data ?? []).map(({ id }) => id),
      resultCount: answer.meta.result_count,
      nextToken: answer.meta.next_token,
    };
  }

  async #send<Answer>(
    method: "GET" | "POST",
    path: string,
    { token, body }: { token?: string; body?: unknown },
  ): Promise<Answer> {
    const request = `${method} ${path}`;
    const headers: Record<string, string> = {};
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    if (body !== undefined) headers["content-type"] = "application/json";
    let status: number;
    let text: string;
    try {
      const answer = await this.#pool.request({
        method,
        path,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
      });
      status = answer.statusCode;
      text = await answer.body.text();
    } catch (error) {
      const code = Error.isError(error) && "code" in error ? String(error.code) : "failed";
      throw new RequestError(request, code, Error.isError(error) ? error.message : String(error));
    }
    if (status < 200 || status > 299) throw new RequestError(request, String(status), text);
    try {
      // The cast: what the API promises for this path. An answer of another shape fails where it is used, and is counted.
      return JSON.parse(text) as Answer;
    } catch {
      throw new RequestError(request, `${status} without JSON`, text);
    }
  }
}
