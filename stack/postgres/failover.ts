import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { keepSlots, promote, type Standing, standingOf } from "./admin.repo.ts";
import { markStandby } from "./member.ts";
import type { Shard, ShardServer } from "./shard.ts";

/**
 * What becomes of the old primary. `rejoin`: fenced, then copied anew from the new one. `fenced`: stopped for good, its
 * data set aside. `untouched`: as if whoever fails over could not reach it; where it runs, or comes back, it is a
 * second primary, which only the nodes' own rules keep from being written to.
 */
export type OldPrimary = "rejoin" | "fenced" | "untouched";

export interface FailoverOptions {
  /** Default: rejoin. */
  old?: OldPrimary | undefined;
  /** Goes on where a replica of a synchronous shard does not answer, which alone may hold acknowledged writes. */
  acceptLoss?: boolean | undefined;
}

interface Candidate extends ShardServer {
  standing: Standing;
}

const HANDOVER_MS = 5_000;
/** A replica that hangs once the primary has been fenced is waited for so long. */
const ANSWER_BOUND_MS = 15_000;
/** It gives up by itself before that, unless it hangs. */
const PROMOTED_BOUND_MS = 65_000;
const FOLLOW_BOUND_MS = 10_000;
const SETTLED_MS = 60;

/**
 * Promotes the replica that has received most, and has the others follow it. Before that, the old primary is fenced: it
 * has ended with all of its processes, and its directory would only start as a standby. One that still answers is asked
 * to end first, so that its replicas get the rest. A failover that was cut off can be run again.
 * @throws where no replica answers; nothing has been touched then
 */
export async function failOver(
  shard: Shard,
  { old: fate = "rejoin", acceptLoss = false }: FailoverOptions,
  say: (line: string) => void,
): Promise<void> {
  const step = steps(say);
  const old = shard.primary;
  await requireReplicas(shard, acceptLoss);
  if (fate !== "untouched") {
    await fence(shard, old);
    step(`fenced ${old.server.name}`);
  }
  const chosen = await mostAdvanced(shard, acceptLoss);
  step(`chose ${chosen.server.name}, which has ${chosen.standing.position}`);
  await shard.on(chosen, promote, PROMOTED_BOUND_MS);
  const { timeline } = await standingOf(chosen.member, shard.context.state.secrets.superuser);
  step(`promoted ${chosen.server.name} to timeline ${timeline}`);
  const aside = fate === "untouched" ? undefined : shard.setAside(old, fate === "fenced" ? "deposed" : "old");
  shard.state.primary = chosen.member.id;
  if (fate === "fenced") shard.forget(old);
  if (fate === "untouched") old.stray = true;
  shard.context.save();
  const followers = shard.standbys.filter((each) => each !== old);
  await follow(shard, followers, say);
  if (followers.length > 0) step(`${followers.map(({ server }) => server.name).join(", ")} follow it`);
  if (aside === undefined) return;
  if (fate === "fenced") return say(`the data of ${old.server.name} is kept in ${aside}`);
  await shard.copyAndStart(old);
  await shard.untilStreaming([old]);
  shard.context.watch(old.server);
  rmSync(aside, { recursive: true, force: true });
  step(`${old.server.name} is back as a replica`);
}

/** Says what was done, and how long it took since the step before. */
function steps(say: (line: string) => void): (done: string) => void {
  let since = performance.now();
  return (done) => {
    const now = performance.now();
    say(`${done} (${Math.round(now - since)} ms)`);
    since = now;
  };
}

async function requireReplicas(shard: Shard, acceptLoss: boolean): Promise<void> {
  const obstacle = obstacleTo(shard, await candidates(shard), acceptLoss);
  if (obstacle !== undefined) throw new Error(obstacle);
}

/** Why none of those that answer can be promoted, in a line; undefined: the most advanced can. */
function obstacleTo(shard: Shard, answers: Candidate[], acceptLoss: boolean): string | undefined {
  if (answers.length === 0) return `shard ${shard.name}: no replica answers, so none can be promoted`;
  const isDone = answers.some(({ standing }) => standing.role === "primary");
  const silent = shard.standbys.filter(({ server }) => !answers.some((each) => each.server === server));
  if (isDone || acceptLoss || !shard.context.state.sync || silent.length === 0) return undefined;
  const names = silent.map(({ server }) => server.name).join(", ");
  return `shard ${shard.name}: ${names} may alone hold acknowledged writes and does not answer: end its process if it hangs, it is started again; or say --accept-loss`;
}

async function fence(shard: Shard, old: ShardServer): Promise<void> {
  const answers = await standingOf(old.member, shard.context.state.secrets.superuser).then(
    () => true,
    () => false,
  );
  if (answers) await old.server.stop(HANDOVER_MS);
  await old.server.fence();
  markStandby(old.member, shard.context.identity);
}

/** The replicas that answer; also one that an earlier failover promoted before it was cut off. */
async function candidates(shard: Shard): Promise<Candidate[]> {
  const password = shard.context.state.secrets.superuser;
  const answers = await Promise.allSettled(
    shard.standbys.map(async (each) => ({ ...each, standing: await standingOf(each.member, password) })),
  );
  return answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
}

/** Once no replica gets any further: what was on its way when the primary ended has arrived, or never will. */
async function mostAdvanced(shard: Shard, acceptLoss: boolean): Promise<Candidate> {
  const deadline = Date.now() + ANSWER_BOUND_MS;
  for (let before = ""; ; await sleep(SETTLED_MS)) {
    const ranked = (await candidates(shard)).toSorted(byProgress);
    const obstacle = obstacleTo(shard, ranked, acceptLoss);
    if (obstacle !== undefined && Date.now() > deadline)
      throw new Error(`${obstacle}. The primary has been fenced: run this again`);
    const now = ranked.map(({ server, standing }) => `${server.name} ${standing.position}`).join();
    const [first] = ranked;
    const isSettled = now === before || first?.standing.role === "primary";
    if (first !== undefined && obstacle === undefined && isSettled) return first;
    before = now;
  }
}

function byProgress({ standing: a }: Candidate, { standing: b }: Candidate): number {
  if (a.role !== b.role) return a.role === "primary" ? -1 : 1;
  if (a.timeline !== b.timeline) return b.timeline - a.timeline;
  return Number(b.bytes - a.bytes);
}

/** Points replicas at the new primary. One that cannot follow, for want of WAL, is copied anew. */
async function follow(shard: Shard, followers: ShardServer[], say: (line: string) => void): Promise<void> {
  await shard.onPrimary((client) => keepSlots(client, shard.slots()));
  await shard.reconfigure();
  await Promise.all(
    followers.map(async (follower) => {
      try {
        await shard.untilStreaming([follower], FOLLOW_BOUND_MS);
      } catch {
        say(`${follower.server.name} does not follow: copying it anew`);
        await follower.server.fence();
        await shard.copyAndStart(follower);
        shard.context.watch(follower.server);
      }
    }),
  );
}
