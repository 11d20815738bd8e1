import { expectDocumented } from "./x-api.ts";

/** What an answer of the API may hold, as far as the tests look. */
export interface Answer {
  status: number;
  headers: Headers;
  body: {
    data?: unknown;
    includes?: { users?: { id: string; username: string }[] };
    meta?: { result_count: number; next_token?: string; previous_token?: string };
    errors?: { message?: string; parameters?: Record<string, string[]> }[];
    type?: string;
    title?: string;
    detail?: string;
    status?: number;
  };
}

interface TweetData {
  id: string;
  text: string;
}

const PASSWORD = "correct horse battery";

/** A client of the HTTP API, signed in as one user. */
export class Client {
  readonly url: string;
  readonly id: string;
  readonly username: string;
  readonly token: string;

  constructor(url: string, user: { id: string; username: string; token: string }) {
    this.url = url;
    this.id = user.id;
    this.username = user.username;
    this.token = user.token;
  }

  static signUp(url: string, username: string, password = PASSWORD): Promise<Client> {
    return Client.#open(url, "/auth/signup", { username, name: username, password });
  }

  static logIn(url: string, username: string, password = PASSWORD): Promise<Client> {
    return Client.#open(url, "/auth/login", { username, password });
  }

  static async #open(
    url: string,
    path: string,
    body: { username: string; name?: string; password: string },
  ): Promise<Client> {
    const { username } = body;
    const answer = await send(url, "POST", path, { body });
    if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    const { data, access_token } = answer.body as { data: { id: string }; access_token: string }; // the contract of both
    return new Client(url, { id: data.id, username, token: access_token });
  }

  request(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    return send(this.url, method, path, {
      body,
      headers: { authorization: `Bearer ${this.token}`, ...headers },
    });
  }

  /** Reads something, again where the answer is a 503: on a busy machine a connection may not be had in time. */
  async read(path: string): Promise<Answer> {
    for (;;) {
      const answer = await this.request("GET", path);
      if (answer.status !== 503) return answer;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async tweet(text: string): Promise<string> {
    const answer = await this.request("POST", "/2/tweets", { text });
    if (answer.status !== 201) throw new Error(`tweet: ${answer.status} ${JSON.stringify(answer.body)}`);
    return (answer.body.data as TweetData).id; // the contract of 201
  }

  async follow(whom: { id: string }): Promise<Answer> {
    return this.request("POST", `/2/users/${this.id}/following`, { target_user_id: whom.id });
  }

  /** Ids of all pages of the home timeline. */
  async homeIds(pageSize = 100): Promise<string[]> {
    const ids: string[] = [];
    let token: string | undefined;
    do {
      const query = `max_results=${pageSize}${token ? `&pagination_token=${token}` : ""}`;
      const { status, body } = await this.read(
        `/2/users/${this.id}/timelines/reverse_chronological?${query}`,
      );
      if (status !== 200) throw new Error(`home: ${status} ${JSON.stringify(body)}`);
      ids.push(...((body.data ?? []) as TweetData[]).map(({ id }) => id)); // the contract of 200
      token = body.meta?.next_token;
    } while (token);
    return ids;
  }
}

/** Sends one request; the body as JSON, or as it is where it is a string. The answer must be as it is documented. */
export async function send(
  url: string,
  method: string,
  path: string,
  options: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { body, headers } = options;
  const response = await fetch(url + path, {
    method,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await response.text();
  const { status, headers: answered } = response;
  const json = text === "" ? {} : JSON.parse(text);
  expectDocumented(method, path, { status, type: answered.get("content-type") ?? undefined, body: json });
  return { status, headers: answered, body: json };
}
