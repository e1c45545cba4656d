import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalRegistry } from '../tests/images-registry-kit.ts';
import { onSignal } from './cleanup.ts';
import { timed, type Contender } from './contender.ts';
import { discard, manyImages, upload, warm, writeArchive, writeBigImage, writeManyImages } from './image-files.ts';
import { MemoryWatch, rotated, Samples } from './measure.ts';
import { tableOf, type RowFormat, type Table } from './report.ts';

const megabyte = 1_000_000;
const repository = 'bench/big';
const loaded = 'bench/loaded:latest';

const formats: Record<string, RowFormat> = {
  'pull, 500 MB in 8 gzip layers': { unit: 's', ratio: 0.7 },
  'pull: daemon grows by': { unit: 'MB', atMost: 80 },
  'load, gzip layers': { unit: 's', ratio: 0.7 },
  'load, plain layers': { unit: 's', ratio: 0.7 },
  're-pull, nothing changed': { unit: 'ms', atMost: 60 },
  [`images, ${manyImages} of them`]: { unit: 'ms', atMost: 60 },
};

/** Pull from a registry on loopback, load, and the list of many. */
export async function images(engines: readonly Contender[], rounds: number): Promise<Table> {
  const samples = new Samples();
  const dir = mkdtempSync(join(tmpdir(), 'isula-bench-images-'));
  using _files = onSignal(() => discard(dir));
  try {
    await using registry = await LocalRegistry.start();
    using _registry = onSignal(async () => registry[Symbol.asyncDispose]());
    const big = await writeBigImage(join(dir, 'layers'));
    await upload(registry.host, repository, 'latest', big);
    const archives = { 'load, gzip layers': join(dir, 'gzip.tar'), 'load, plain layers': join(dir, 'plain.tar') };
    await writeArchive(archives['load, gzip layers'], big, loaded, false);
    await writeArchive(archives['load, plain layers'], big, loaded, true);
    await warm(Object.values(archives));
    const reference = `${registry.host}/${repository}:latest`;
    const pull = (engine: Contender): string[] => ['pull', ...(engine.name === 'podman' ? ['--tls-verify=false'] : []), reference];
    const served = engines.filter(({ socket }) => socket !== undefined);
    for (let round = 0; round < rounds; round++) {
      for (const engine of rotated(engines, round)) {
        const pulled = await watched(engine, () => timed(engine, pull(engine)));
        samples.add('pull, 500 MB in 8 gzip layers', engine.name, pulled.ms / 1000);
        if (engine.socket !== undefined) samples.add('pull: daemon grows by', engine.name, pulled.growth / megabyte);
        for (let again = 0; again < 3; again++) samples.add('re-pull, nothing changed', engine.name, await timed(engine, pull(engine)));
        await timed(engine, ['rmi', reference]);
        for (const [what, path] of Object.entries(archives)) {
          samples.add(what, engine.name, await timed(engine, ['load', '-i', path]) / 1000);
          await timed(engine, ['rmi', loaded]);
        }
      }
    }
    await writeManyImages(join(dir, 'many.tar'));
    for (const engine of served) await timed(engine, ['load', '-i', join(dir, 'many.tar')]);
    for (let round = 0; round < 5 * rounds; round++) {
      for (const engine of served) samples.add(`images, ${manyImages} of them`, engine.name, await timed(engine, ['images']));
    }
  } finally {
    await discard(dir);
  }
  return tableOf('images', samples, engines, (row) => formats[row] ?? { unit: 'ms' });
}

async function watched(engine: Contender, work: () => Promise<number>): Promise<{ ms: number; growth: number }> {
  using watch = new MemoryWatch(engine);
  const ms = await work();
  return { ms, growth: watch.growth };
}
