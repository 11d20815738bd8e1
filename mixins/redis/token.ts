import { randomBytes } from "node:crypto";

const process = randomBytes(9).toString("base64url");
let taken = 0;

/** A token for a lease: no other call in any process gets the same. */
export function leaseToken(): string {
  return `${process}.${++taken}`;
}
