import { runCommand } from '../tests/harness/index.ts';
import { image, output, timed, type Contender } from './contender.ts';
import { MemoryWatch, rotated, Samples } from './measure.ts';
import { tableOf, type Table } from './report.ts';
import { waiting } from './serial.ts';

const streamBytes = 1_000_000_000;
const megabyte = 1_000_000;

/** 1 GB through cat and back: by exec, and by attach to the container's own process. */
export async function streams(engines: readonly Contender[], rounds: number): Promise<Table> {
  const samples = new Samples();
  for (let round = 0; round < rounds; round++) {
    for (const engine of rotated(engines, round)) {
      await output(engine, ['run', '-d', ...engine.createOptions, '--name', 'stream', image, ...waiting]);
      await measure(samples, engine, 'exec -i cat', ['exec', '-i', 'stream', 'cat']);
      await timed(engine, ['rm', '-f', 'stream']);
      await measure(samples, engine, 'run -i cat', ['run', '--rm', '-i', ...engine.createOptions, ...engine.noLog, image, 'cat']);
    }
  }
  return tableOf('streams', samples, engines, (row) => (row.endsWith('daemon grows by') ? { unit: 'MB' } : { unit: 'MB/s', atLeast: 300 }));
}

async function measure(samples: Samples, engine: Contender, what: string, args: readonly string[]): Promise<void> {
  using watch = new MemoryWatch(engine);
  const started = performance.now();
  const pipeline = ['bash', '-c', `head -c ${streamBytes} /dev/zero | "$@" | wc -c`, 'stream', ...engine.command(args)];
  const { stdout, stderr } = await runCommand(pipeline, { env: { ...engine.env }, timeoutMs: 180_000 });
  if (Number(stdout) !== streamBytes) throw new Error(`${engine.name} ${args.join(' ')}: ${stdout.trim()} bytes came back: ${stderr}`);
  samples.add(what, engine.name, streamBytes / megabyte / ((performance.now() - started) / 1000));
  if (engine.socket !== undefined) samples.add(`${what}: daemon grows by`, engine.name, watch.growth / megabyte);
}
