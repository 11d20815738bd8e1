import { AsyncLocalStorage } from "node:async_hooks";
import type { WalPosition } from "./server.ts";

/** What a session has written or seen, by shard: "timeline:position". It travels between processes in this form. */
export type Seen = Record<string, string>;

/** How a session travels in the meta of a call. */
export interface SessionMeta {
  /** Whose: a user's or an app's id. It decides which replica answers. */
  key: string;
  seen: Seen;
  /** Nothing is known of what it did before: it reads from primaries. */
  isNew: boolean;
  /** Whether it has written during this request. */
  wrote?: boolean;
  /** It only reads, so its answer may lack what a shard holds that is away, if it says so. */
  mayLack?: boolean;
  /** The shards that its answer lacks. */
  lacks?: string[];
}

/**
 * How far a session has seen each shard, during one request: reads look at it, writes add to it. After Terry et al.,
 * "Session Guarantees for Weakly Consistent Replicated Data" (1994): its reads see its own writes, and never go back.
 */
export class SessionView {
  readonly key: string;
  readonly isNew: boolean;
  readonly #seen: Map<string, WalPosition>;
  readonly #news = new Map<string, WalPosition>();
  readonly mayLack: boolean;
  /** The shards that the answer lacks. */
  readonly lacks: Set<string>;
  #wrote: boolean;
  #ended = false;

  constructor({ key, seen, isNew, wrote = false, mayLack = false, lacks = [] }: SessionMeta) {
    this.key = key;
    this.isNew = isNew;
    this.mayLack = mayLack;
    this.lacks = new Set(lacks);
    this.#wrote = wrote;
    this.#seen = new Map(Object.entries(seen).map(([shard, text]) => [shard, parse(text)]));
  }

  /** What a read on a shard must not be older than. */
  floor(shard: string): WalPosition | undefined {
    return this.#seen.get(shard);
  }

  /** The session has written on a shard, which has come to here. */
  wroteOn(shard: string, at: WalPosition): void {
    this.#wrote = true;
    this.reached(shard, at);
  }

  /** The session has seen what a shard had by here. */
  reached(shard: string, at: WalPosition): void {
    const known = this.#seen.get(shard);
    if (known && !isPast(at, known)) return;
    this.#seen.set(shard, at);
    this.#news.set(shard, at);
  }

  /** Takes what another process found out. */
  merge({ seen, wrote, lacks = [] }: SessionMeta): void {
    if (wrote) this.#wrote = true;
    for (const shard of lacks) this.lacks.add(shard);
    for (const [shard, text] of Object.entries(seen)) this.reached(shard, parse(text));
  }

  get wrote(): boolean {
    return this.#wrote;
  }

  /** The request is answered: what it leaves running in the background is not the session's any more. */
  end(): void {
    this.#ended = true;
  }

  get isOver(): boolean {
    return this.#ended;
  }

  /** What has been reached during this request. */
  get news(): Seen {
    return Object.fromEntries([...this.#news].map(([shard, at]) => [shard, format(at)]));
  }

  get meta(): SessionMeta {
    const seen = Object.fromEntries([...this.#seen].map(([shard, at]) => [shard, format(at)]));
    const { key, isNew, mayLack } = this;
    return { key, seen, isNew, wrote: this.#wrote, mayLack, lacks: [...this.lacks] };
  }
}

const views = new AsyncLocalStorage<SessionView>();

/** The session that this is done for; undefined for what is done for nobody, which reads from primaries. */
export function currentSession(): SessionView | undefined {
  const view = views.getStore();
  return view?.isOver ? undefined : view;
}

/** Does all of `work` for a session. */
export async function inSession<T>(view: SessionView, work: () => Promise<T>): Promise<T> {
  try {
    return await views.run(view, work);
  } finally {
    view.end();
  }
}

function isPast(a: WalPosition, b: WalPosition): boolean {
  return a.timeline > b.timeline || (a.timeline === b.timeline && a.position > b.position);
}

function parse(text: string): WalPosition {
  const [timeline, position] = text.split(":").map(Number);
  return { timeline: timeline ?? 0, position: position ?? 0 };
}

function format({ timeline, position }: WalPosition): string {
  return `${timeline}:${position}`;
}
