import type pg from "pg";
import { from } from "pg-copy-streams";

const CHUNK = 256 * 1024;
/** More than any row here takes. */
const ROW = 4 * 1024;
const HEADER = Buffer.from("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", "latin1");
const TRAILER = Buffer.from([0xff, 0xff]);

/**
 * Writes rows to a table in the binary format of COPY. Rows gather in a buffer; once it `isFull`, the writer waits for
 * `flush`, so that no more is held here than the server is behind.
 */
export class CopyWriter {
  readonly #stream: ReturnType<typeof from>;
  readonly #failed: Promise<never>;
  #chunk = Buffer.allocUnsafe(CHUNK);
  #at = 0;

  /** `statement`: a COPY … FROM STDIN (FORMAT binary). */
  constructor(client: pg.Client, statement: string) {
    this.#stream = client.query(from(statement));
    this.#failed = new Promise((_, reject) => this.#stream.once("error", reject));
    this.#failed.catch(() => {});
    this.#at = HEADER.copy(this.#chunk);
  }

  get isFull(): boolean {
    return this.#at > CHUNK - ROW;
  }

  /** Begins a row of so many fields, which follow. */
  row(fields: number): this {
    this.#at = this.#chunk.writeInt16BE(fields, this.#at);
    return this;
  }

  /** A bigint, in halves. */
  int8(high: number, low: number): this {
    this.#at = this.#chunk.writeInt32BE(8, this.#at);
    this.#at = this.#chunk.writeUInt32BE(high, this.#at);
    this.#at = this.#chunk.writeUInt32BE(low, this.#at);
    return this;
  }

  int2(value: number): this {
    this.#at = this.#chunk.writeInt32BE(2, this.#at);
    this.#at = this.#chunk.writeInt16BE(value, this.#at);
    return this;
  }

  /** A text or a label of an enum, in ASCII. */
  text(value: string): this {
    const length = this.#chunk.write(value, this.#at + 4, "latin1");
    this.#chunk.writeInt32BE(length, this.#at);
    this.#at += 4 + length;
    return this;
  }

  /** Hands over what has gathered. Throws what the server says against it. */
  async flush(): Promise<void> {
    const chunk = this.#chunk.subarray(0, this.#at);
    this.#chunk = Buffer.allocUnsafe(CHUNK);
    this.#at = 0;
    await this.#answered((done) => this.#stream.write(chunk, done));
  }

  /** Ends the COPY; the rows are in the table then. */
  async end(): Promise<void> {
    await this.flush();
    await this.#answered((done) => this.#stream.end(TRAILER, () => done()));
  }

  #answered(work: (done: (error?: Error | null) => void) => void): Promise<void> {
    const answer = new Promise<void>((resolve, reject) =>
      work((error) => (error ? reject(error) : resolve())),
    );
    return Promise.race([answer, this.#failed]);
  }
}
