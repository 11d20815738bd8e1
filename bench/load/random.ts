/** Numbers in [0, 1), the same for the same seed. */
export type Random = () => number;

/** A small generator (mulberry32): runs with one seed make the same choices. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One of the items, each as likely as any other. Throws RangeError where there are none. */
export function pick<T>(items: readonly T[], random: Random): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new RangeError("nothing to pick from");
  return item;
}

/** `count` different items in random order; all of them where there are no more. */
export function sample<T>(items: readonly T[], count: number, random: Random): T[] {
  const rest = [...items];
  const taken: T[] = [];
  while (taken.length < count && rest.length > 0) {
    const at = Math.floor(random() * rest.length);
    const item = rest[at];
    const last = rest.pop();
    if (item === undefined || last === undefined) break;
    if (at < rest.length) rest[at] = last;
    taken.push(item);
  }
  return taken;
}
