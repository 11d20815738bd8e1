import { readCommandLine, UsageError } from "../../config/command-line.ts";
import type { Env } from "../../config/env.ts";
import { audit, auditAndMend } from "./audit.ts";
import { describeFinding, type Finding } from "./audit-findings.ts";
import { type OperatorCommand, SERVERS, SERVERS_USAGE } from "./command.ts";
import { Progress } from "./progress.ts";

const USAGE = `Usage: npm run audit [-- --repair] [--json]

Checks on all shards, and in Redis, that whatever is kept twice agrees: edges and their mirrors, follows and blocks,
counters and what they count, rows and the shard map, Redis and Postgres; and that no job is stuck. Each finding is a line
on standard output. People may write meanwhile: what is merely under way is no finding.

  --repair  mends mirrors, follows across a block, counters and Redis; then audits once more
  --json    findings as a line of JSON each

${SERVERS_USAGE}

Redis is that of REDIS_URL, or of npm start.

Exit codes: 0 everything agrees (by now, with --repair), 1 something does not, 2 it could not be checked, or wrong arguments.`;

interface AuditRequest {
  repair: boolean;
  json: boolean;
}

export const auditCommand: OperatorCommand = {
  usage: USAGE,
  failed: 2,
  read(args) {
    const { positionals, values } = readCommandLine({
      args,
      allowPositionals: true,
      options: {
        repair: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        ...SERVERS,
        help: { type: "boolean" },
      },
    });
    if (values.help) return undefined;
    if (positionals.length > 0) throw new UsageError(`expected no arguments, got "${positionals[0]}"`);
    const { "topology-file": topologyFile, data: dataDir } = values;
    return { topologyFile, dataDir, run: (env) => run(env, values) };
  },
};

async function run(env: Env, { repair, json }: AuditRequest): Promise<number> {
  const progress = new Progress();
  let found = 0;
  const show = (finding: Finding) => {
    found++;
    progress.clear();
    // What is quoted may be what somebody sent: no control character reaches the terminal.
    console.log(json ? JSON.stringify(finding) : describeFinding(finding).replace(/\p{Cc}+/gu, " "));
  };
  try {
    const mended = repair ? await auditAndMend(env, show, progress.say) : 0;
    if (mended > 0) console.error(`${found} found, ${mended} mended; once more:`);
    if (mended > 0) found = 0;
    if (!repair || mended > 0) await audit(env, show, progress.say);
  } finally {
    progress.end();
  }
  if (!env.redisUrl) console.error("Redis was not checked: there is no REDIS_URL");
  console.error(found > 0 ? `findings: ${found}` : "everything agrees");
  return found > 0 ? 1 : 0;
}
