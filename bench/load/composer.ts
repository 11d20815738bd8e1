import type { Person } from "./client.ts";
import { pick, type Random } from "./random.ts";

const WORDS = (
  "the of a and to in we it was for on with at from they our one all this rain café train garden window " +
  "tonight tomorrow coffee ☕ bread river mountain music 🎶 книга 東京 better slower louder quietly finally again"
).split(" ");
const TAGS = ["#morning", "#roost", "#cooking", "#football", "#日本"];
const MENTIONED = 0.1;
const TAGGED = 0.2;

/** Makes up tweets of 3 to 20 words, some with a hashtag, some that mention one of the people. */
export function composer(people: readonly Person[], random: Random): () => string {
  return () => {
    const words = Array.from({ length: 3 + Math.floor(random() * 18) }, () => pick(WORDS, random));
    if (random() < MENTIONED) words.unshift(`@${pick(people, random).username}`);
    if (random() < TAGGED) words.push(pick(TAGS, random));
    return words.join(" ");
  };
}
