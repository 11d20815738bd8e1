import { renderStatus } from "../../stack/status.ts";

describe("the servers of a stack as a table", () => {
  test("columns are as wide as their widest cell; what is not known is left empty", () => {
    const table = renderStatus([
      {
        name: "pg-s0-0",
        shard: "s0",
        role: "primary",
        timeline: 12,
        position: "0/1C39810",
        lagBytes: 0,
        port: 18539,
        pid: 3937,
      },
      { name: "pg-s0-1", shard: "s0", role: "does not answer", port: 18540 },
      { name: "nats", role: "running", port: 11293, pid: 7 },
    ]);
    expect(table.split("\n")).toEqual([
      "SERVER   SHARD  ROLE             TIMELINE  POSITION   BEHIND   PORT   PID",
      "pg-s0-0  s0     primary          12        0/1C39810  0 bytes  18539  3937",
      "pg-s0-1  s0     does not answer                                18540",
      "nats            running                                        11293  7",
    ]);
  });
});
