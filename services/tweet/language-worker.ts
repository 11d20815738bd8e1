import { parentPort } from "node:worker_threads";
import { languageOf } from "./language.ts";
import type { LanguageAnswer, LanguageQuestion } from "./languages.ts";

/** The thread of Languages. */
parentPort?.on("message", ({ n, text }: LanguageQuestion) => {
  const answer: LanguageAnswer = { n, lang: languageOf(text) };
  parentPort?.postMessage(answer);
});
