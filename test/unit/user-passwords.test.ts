import { errorCode } from "../../services/contracts/errors.ts";
import { Gate, hashPassword, verifyPassword } from "../../services/user/account/passwords.ts";

describe("passwords", () => {
  it("are stored as salted argon2id and verified", async () => {
    const [first, second] = await Promise.all([hashPassword("correct horse"), hashPassword("correct horse")]);
    expect(first).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(second).not.toBe(first);
    expect(await verifyPassword("correct horse", first)).toBe(true);
    expect(await verifyPassword("correct horsf", first)).toBe(false);
    expect(await verifyPassword("", first)).toBe(false);
  });

  it("never fit where there is no account", async () => {
    expect(await verifyPassword("anything at all")).toBe(false);
  });

  it("refuse a stored value that is no hash", async () => {
    await expect(verifyPassword("x", "plain")).rejects.toThrow("PHC");
  });
});

describe("the gate", () => {
  it("runs a few at a time, in order, and refuses what it cannot keep waiting", async () => {
    const gate = new Gate(2, 2);
    const started: number[] = [];
    const finish: (() => void)[] = [];
    const enter = (n: number) =>
      gate.run(async () => {
        started.push(n);
        await new Promise<void>((done) => finish.push(done));
      });
    const running = [enter(0), enter(1), enter(2), enter(3)];
    const refused = await enter(4).catch((error: unknown) => errorCode(error));
    expect(refused).toBe("UNAVAILABLE");
    expect(started).toEqual([0, 1]);
    finish.shift()?.();
    await running[0];
    expect(started).toEqual([0, 1, 2]);
    finish.shift()?.();
    await running[1];
    for (const done of finish.splice(0)) done();
    await Promise.all(running.slice(2));
    expect(started).toEqual([0, 1, 2, 3]);
    const after = enter(5);
    finish.shift()?.();
    await after;
  });

  it("passes failures on and goes on", async () => {
    const gate = new Gate(1, 1);
    await expect(gate.run(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await gate.run(async () => 7)).toBe(7);
  });
});
