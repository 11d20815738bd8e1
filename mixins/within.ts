/**
 * The answer, or an error where it is not there after `ms`. A stall of this process is no time-out: an answer that lies in
 * the socket by then is still taken.
 */
export function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new TimedOut(`no answer within ${ms} ms`));
    const timer = setTimeout(() => setImmediate(late), ms);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

export class TimedOut extends Error {
  override name = "TimedOut";
}
