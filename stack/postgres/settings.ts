import { type Member, serverName } from "./member.ts";

/** Where a member stands in its shard. */
export interface Place {
  member: Member;
  /** The shard's other members. */
  others: Member[];
  /** Whom it follows; undefined: it is the primary. */
  primary: Member | undefined;
}

/** The settings of one server that change between runs, or with its role. */
export function settingsOf(
  { member, others, primary }: Place,
  { password, sharedBuffers, sync }: { password: string; sharedBuffers: string; sync: boolean },
): Record<string, string> {
  const name = serverName(member.id);
  const upstream = `host=127.0.0.1 port=${primary?.port} user=roost password=${password} application_name=${name}`;
  const quorum = others.map(({ id }) => `"${serverName(id)}"`).join(", ");
  return {
    listen_addresses: "127.0.0.1",
    port: String(member.port),
    // A socket's path may have at most 107 bytes, fewer than many a data directory.
    unix_socket_directories: "",
    cluster_name: name,
    max_connections: "200",
    shared_buffers: sharedBuffers,
    synchronous_commit: "on",
    // A replica has it too: from the moment of its promotion on its commits wait for one of the others.
    ...(sync && quorum !== "" ? { synchronous_standby_names: `ANY 1 (${quorum})` } : {}),
    wal_level: "logical",
    max_wal_senders: "16",
    max_replication_slots: "16",
    max_wal_size: "512MB",
    // For replicas that lag when the one that they are to follow is promoted: it had no slots for them.
    wal_keep_size: "256MB",
    hot_standby: "on",
    hot_standby_feedback: "on",
    wal_retrieve_retry_interval: "200ms",
    jit: "off",
    timezone: "UTC",
    log_timezone: "UTC",
    log_line_prefix: "%m [%p] ",
    ...(primary === undefined ? {} : { primary_conninfo: upstream, primary_slot_name: slotOf(member) }),
  };
}

/** The slot that keeps WAL for a member on its primary. */
export function slotOf(member: Member): string {
  return `member_${member.id.replaceAll("-", "_")}`;
}
