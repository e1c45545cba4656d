import { expect, test } from 'bun:test';
import { Gate, Lane } from './lane.ts';

test('a lane runs one task at a time, in order, and goes on after a failure', async () => {
  const lane = new Lane();
  const seen: string[] = [];
  const task = (name: string, fails = false) => lane.run(async () => {
    seen.push(`${name}+`);
    await Promise.resolve();
    seen.push(`${name}-`);
    if (fails) throw new Error(name);
    return name;
  });
  const results = await Promise.allSettled([task('a'), task('b', true), task('c')]);
  expect(seen).toEqual(['a+', 'a-', 'b+', 'b-', 'c+', 'c-']);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  await Bun.sleep(0);
  expect(lane.idle).toBe(true);
});

test('a gate lets no more than its limit in', async () => {
  const gate = new Gate(2);
  let inside = 0;
  let most = 0;
  await Promise.all(Array.from({ length: 10 }, () => gate.run(async () => {
    most = Math.max(most, ++inside);
    await Bun.sleep(1);
    inside--;
  })));
  expect(most).toBe(2);
});
