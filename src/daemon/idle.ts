import { dropOwnCode } from '../linux/index.ts';

/** How often it is looked whether there is work. */
const lookMs = 2000;
/** Less processor time than this between two looks is rest, in microseconds. */
const restUs = 60_000;
/** So much work since the last time makes another one worth while, in microseconds. */
const workUs = 50_000;

/**
 * When work has come to rest: collects garbage and gives memory back. A daemon spends most of its life doing nothing, and what the last
 * burst of work needed would stay with it. Bun itself collects when it allocates, which a resting daemon does not.
 */
export function trimWhenIdle(): Disposable {
  // The start itself is work.
  let trimmedAt = -Infinity;
  let last = used();
  const timer = setInterval(() => {
    const now = used();
    const rests = now - last < restUs;
    last = now;
    if (!rests || now - trimmedAt < workUs) return;
    Bun.gc(true);
    dropOwnCode();
    trimmedAt = last = used();
  }, lookMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Processor time of this process so far, in microseconds. */
function used(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
