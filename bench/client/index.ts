import { fork } from "node:child_process";
import { join } from "node:path";
import type { Job, JobResult } from "./jobs.ts";

export type { HttpJob, InsertJob, Job, JobResult, PushJob } from "./jobs.ts";

/** What client/main.ts answers. */
export type Answer = { result: JobResult } | { error: string };

/** Runs jobs, one after the other, in a process of its own. */
export class BenchClient {
  readonly #child = fork(join(import.meta.dirname, "main.ts"));
  #answer = Promise.withResolvers<Answer>();

  constructor() {
    // The cast: client/main.ts sends nothing else.
    this.#child.on("message", (message) => this.#answer.resolve(message as Answer));
    this.#child.on("exit", () => this.#answer.resolve({ error: "the bench client ended" }));
  }

  /** Throws what the job threw. */
  async run(job: Job): Promise<JobResult> {
    this.#answer = Promise.withResolvers();
    this.#child.send(job);
    const answer = await this.#answer.promise;
    if ("error" in answer) throw new Error(answer.error);
    return answer.result;
  }

  stop(): void {
    this.#child.kill();
  }
}
