import { expect, test } from 'bun:test';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Bench, bytesOf, importTar, noSignal, quiet, streamOf, tarOf } from './images-kit.ts';

/** Runs a verb in a process of its own that dies as in a power cut at the fail point. */
async function killedAt(point: string, root: string, verb: string, what: string): Promise<void> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'images-crash-child.ts'), root, verb, what], {
    env: { ...process.env, ISULAD_FAILPOINT: point }, stdout: 'ignore', stderr: 'pipe',
  });
  const complaint = await new Response(child.stderr).text();
  await child.exited;
  if (child.signalCode !== 'SIGKILL') throw new Error(`not killed at ${point}: ${complaint}`);
}

/** Everything under the graph root belongs to an image, and every image has everything. */
async function expectWhole(bench: Bench): Promise<void> {
  const images = bench.images.list(new Map(), true);
  const layers = new Set(images.flatMap((image) => [...image.layers]));
  expect(new Set(bench.snapshots.listLayers())).toEqual(layers);
  expect(readdirSync(join(bench.root, 'blobs', 'ingest'))).toEqual([]);
  for (const image of images) await bytesOf(await bench.images.save([image.id], noSignal));
}

async function twoLayers(bench: Bench): Promise<string> {
  const parent = await importTar(bench, 'base', { a: 'x'.repeat(400_000) });
  await bench.images.commit(
    { reference: 'app:1', author: '', comment: '', changes: [], config: {}, parent, layer: streamOf(tarOf({ b: '2' })) },
    noSignal,
  );
  const path = join(bench.root, 'app.tar');
  writeFileSync(path, await bytesOf(await bench.images.save(['base', 'app:1'], noSignal)));
  return path;
}

test.each(['image-blob', 'image-blob:2', 'image-layer-unpacked', 'image-layer', 'image-layer:2', 'image-row', 'image-row:2'])(
  'a load cut off at %s leaves a whole store, and goes through when repeated', async (point) => {
    await using source = await Bench.open();
    const archive = await twoLayers(source);
    await using bench = await Bench.open();
    await killedAt(point, bench.root, 'load', archive);
    await bench.reopen();
    await expectWhole(bench);
    await bench.images.load(streamOf(Buffer.from(await Bun.file(archive).arrayBuffer())), { tag: '', type: 'oci', quiet: true }, quiet, noSignal);
    const { parent: _, ...committed } = source.images.resolve('app:1');
    expect(bench.images.resolve('app:1')).toEqual({ ...committed, addedAt: expect.any(Number) });
    await expectWhole(bench);
  });

test('a removal cut off in the middle is finished by the next start', async () => {
  await using bench = await Bench.open();
  await twoLayers(bench);
  await bench.images.remove('base', { force: false, noPrune: false });
  await killedAt('image-deleted', bench.root, 'remove', 'app:1');
  await bench.reopen();
  expect(() => bench.images.resolve('app:1')).toThrow('No such image');
  await expectWhole(bench);
});
