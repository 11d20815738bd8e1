/** The process that sends: what is measured must not share an event loop with who measures. */

import { runHttp } from "./http.ts";
import type { Answer } from "./index.ts";
import { runInserts } from "./inserts.ts";
import type { Job, JobResult } from "./jobs.ts";
import { runPushes } from "./pushes.ts";

function run(job: Job): Promise<JobResult> {
  switch (job.kind) {
    case "http":
      return runHttp(job);
    case "insert":
      return runInserts(job);
    case "push":
      return runPushes(job);
  }
}

function reply(answer: Answer): void {
  process.send?.(answer);
}

// The cast: only BenchClient holds the other end of this channel.
process.on("message", (message) => {
  run(message as Job).then(
    (result) => reply({ result }),
    (error: unknown) => reply({ error: Error.isError(error) ? error.message : String(error) }),
  );
});
process.on("disconnect", () => process.exit());
