import { image, output, timed, type Contender } from './contender.ts';
import { rotated, Samples } from './measure.ts';
import { tableOf, type Table } from './report.ts';

/** Runs until it is told to end, and ends at once then. */
export const waiting = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1000 & wait; done'];

const ratios: Record<string, number> = { create: 0.6, start: 0.2, exec: 0.35, ps: 0.7, stop: 0.4, rm: 0.5, 'run --rm': 0.2 };

/** One command after the other, each engine in its turn. */
export async function serial(engines: readonly Contender[], rounds: number): Promise<Table> {
  const samples = new Samples();
  // The first round warms up: files into the page cache, modules into the daemon.
  for (let round = -1; round < rounds; round++) {
    for (const engine of rotated(engines, round + 1)) {
      const measure = async (what: string, args: readonly string[]): Promise<void> => {
        const ms = await timed(engine, args);
        if (round >= 0) samples.add(what, engine.name, ms);
      };
      const name = `bench-${round + 1}`;
      await measure('create', ['create', ...engine.createOptions, '--name', name, image, ...waiting]);
      await measure('start', ['start', name]);
      await measure('exec', ['exec', name, 'true']);
      await measure('ps', ['ps']);
      await measure('stop', ['stop', name]);
      await measure('rm', ['rm', name]);
      await measure('run --rm', ['run', '--rm', ...engine.createOptions, image, 'true']);
      await measure('version', ['version']);
    }
  }
  return tableOf('serial', samples, engines, (row) => ({ unit: 'ms', ...(ratios[row] === undefined ? {} : { ratio: ratios[row] }) }));
}

/** So many at once. */
const crowd = 100;
const crowdRatios: Record<string, number> = { create: 0.4, start: 0.15, 'run --rm': 0.15 };

/** A hundred command lines at once: create, start, rm of what runs, run. None may fail. */
export async function parallel(engines: readonly Contender[], rounds: number): Promise<Table> {
  const samples = new Samples();
  const names = Array.from({ length: crowd }, (_, index) => `crowd-${index}`);
  for (let round = 0; round < rounds; round++) {
    for (const engine of rotated(engines, round)) {
      const measure = async (what: string, argsOf: (name: string) => readonly string[]): Promise<void> => {
        const started = performance.now();
        await Promise.all(names.map((name) => timed(engine, argsOf(name))));
        samples.add(what, engine.name, (performance.now() - started) / 1000);
      };
      await measure('create', (name) => ['create', ...engine.createOptions, '--name', name, image, ...waiting]);
      await measure('start', (name) => ['start', name]);
      const running = await output(engine, ['ps', '-q']);
      if (running.split('\n').length !== crowd) throw new Error(`${engine.name}: ${running.split('\n').length} of ${crowd} run`);
      await measure('rm -f', (name) => ['rm', '-f', name]);
      await measure('run --rm', () => ['run', '--rm', ...engine.createOptions, image, 'true']);
    }
  }
  return tableOf('parallel', samples, engines, (row) => ({ unit: 's', ...(crowdRatios[row] === undefined ? {} : { ratio: crowdRatios[row] }) }));
}
