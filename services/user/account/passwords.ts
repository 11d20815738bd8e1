import { type Argon2Parameters, argon2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { unavailable } from "../../contracts/errors.ts";

/** OWASP's minimum for argon2id: 19 MiB, two passes, one lane. */
const COST = { memory: 19_456, passes: 2, parallelism: 1 } as const;
const TAG_BYTES = 32;
const SALT_BYTES = 16;
/** Hashes at a time: the rest of the thread pool stays free for DNS, files and compression. */
const WIDTH = 2;
/** Waiting for their turn at most; at some 35 ms a hash the last of them waits about 4 s. */
const QUEUE = 256;

const derive = promisify<"argon2id", Argon2Parameters, Buffer>(argon2);
const PHC = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;
const unpadded = (bytes: Buffer): string => bytes.toString("base64").replace(/=+$/, "");

/** Runs work a few at a time, in order of arrival; refuses more than it may keep waiting. */
export class Gate {
  readonly #width: number;
  readonly #queue: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(width: number, queue: number) {
    this.#width = width;
    this.#queue = queue;
  }

  /** Throws 503 where the queue is full. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#width) this.#running++;
    else {
      if (this.#waiting.length >= this.#queue) throw unavailable("Signing in", 5);
      // The one that finishes hands its place over, so the count stays as it is.
      await new Promise<void>((go) => this.#waiting.push(go));
    }
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}

const gate = new Gate(WIDTH, QUEUE);

/** Hashes a password with argon2id, off the event loop: a PHC string. Throws 503 where too many wait. */
export async function hashPassword(password: string): Promise<string> {
  const nonce = randomBytes(SALT_BYTES);
  const tag = await gate.run(() =>
    derive("argon2id", { message: Buffer.from(password), nonce, tagLength: TAG_BYTES, ...COST }),
  );
  return `$argon2id$v=19$m=${COST.memory},t=${COST.passes},p=${COST.parallelism}$${unpadded(nonce)}$${unpadded(tag)}`;
}

/** What a password is checked against where there is no account: the work is the same, no password fits. */
const NOBODY = `$argon2id$v=19$m=${COST.memory},t=${COST.passes},p=${COST.parallelism}$${unpadded(randomBytes(SALT_BYTES))}$${unpadded(randomBytes(TAG_BYTES))}`;

/**
 * Whether the password belongs to the PHC string. Takes as long without one, so that the time says nothing about
 * whether an account exists. Throws 503 where too many wait.
 */
export async function verifyPassword(password: string, phc: string = NOBODY): Promise<boolean> {
  const [, memory, passes, parallelism, salt = "", tag = ""] = PHC.exec(phc) ?? [];
  if (!tag) throw new Error("a stored password hash is not an argon2id PHC string");
  const expected = Buffer.from(tag, "base64");
  const actual = await gate.run(() =>
    derive("argon2id", {
      message: Buffer.from(password),
      nonce: Buffer.from(salt, "base64"),
      tagLength: expected.length,
      memory: Number(memory),
      passes: Number(passes),
      parallelism: Number(parallelism),
    }),
  );
  return timingSafeEqual(actual, expected);
}
