import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { curlLines } from "../../stack/banner.ts";

/** Stands for curl: answers a sign-up as the API does, and shows the arguments of every other call. */
const CURL = `#!/bin/sh
case "$2" in
  */auth/signup) echo '{"data":{"id":"1790000000000000001","name":"A User","username":"u"},"token_type":"bearer","access_token":"7f-abc_D","refresh_token":"r"}' ;;
  *) printf '%s\\n' "$@" ;;
esac
`;

describe("the printed curl lines", () => {
  let bin: string;
  beforeAll(() => {
    bin = mkdtempSync(join(tmpdir(), "roost-curl-"));
    writeFileSync(join(bin, "curl"), CURL, { mode: 0o755 });
  });
  afterAll(() => rmSync(bin, { recursive: true, force: true }));

  test("carry the token and the id of the sign-up into the next lines, in a POSIX shell", () => {
    const script = curlLines("http://127.0.0.1:3000").join("\n");
    const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
    const printed = execFileSync("sh", ["-c", script], { env, encoding: "utf8" });
    expect(printed).toContain(
      "http://127.0.0.1:3000/2/users/1790000000000000001/timelines/reverse_chronological",
    );
    expect(printed.match(/^authorization: Bearer 7f-abc_D$/gm)).toHaveLength(2);
  });
});
