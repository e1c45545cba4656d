import { beforeAll, beforeEach, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { at, expectConsistent, useDaemon, waitUntil } from './harness/index.ts';

/**
 * The daemon dies at every persisted step of every operation, as in a power cut. After the next start records and host agree, what ran
 * runs on under the same pid, with its log and its attach, and the operation can be done (again).
 */
const daemon = useDaemon();
const sleeper = ['busybox', 'sleep', '1000'];

interface Witness {
  pid: unknown;
  startedAt: unknown;
}
let witness: Witness = { pid: 0, startedAt: '' };
let round = 0;

async function inspect(name: string): Promise<unknown> {
  const { status, json } = await daemon.http('GET', `/containers/${name}/json`);
  return status === 200 ? json() : undefined;
}

async function status(name: string): Promise<unknown> {
  return at(await inspect(name), 'State', 'Status') ?? 'gone';
}

async function witnessOf(): Promise<Witness> {
  const document = await inspect('witness');
  return { pid: at(document, 'State', 'Pid'), startedAt: at(document, 'State', 'StartedAt') };
}

async function hasVolume(name: string): Promise<boolean> {
  return (await daemon.http('GET', `/volumes/${name}`)).status === 200;
}

/** Starts the daemon anew so that it dies at the point, does something, and starts it as usual. */
async function crashAt(point: string, operation: () => Promise<unknown>): Promise<void> {
  await daemon.kill();
  await daemon.start({ ISULAD_FAILPOINT: point });
  await die(operation);
  await daemon.start();
  await expectConsistent(daemon);
  await expectWitness();
}

async function die(operation: () => Promise<unknown>): Promise<void> {
  const outcome = await operation().then(() => 'it succeeded', String);
  await daemon.died().catch((error: unknown) => {
    throw new Error(`the daemon did not die: ${String(error)}; the operation: ${outcome}`);
  });
}

/** The container that runs all the time does so still, and can be talked to. */
async function expectWitness(): Promise<void> {
  expect(await witnessOf()).toEqual(witness);
  const word = `round ${++round}`;
  using client = daemon.background(['attach', 'witness']);
  client.write(`${word}\n`);
  await client.waitFor(word);
  expect(await daemon.ok(['exec', 'witness', 'echo', word])).toBe(word);
  expect(await daemon.ok(['logs', '--tail', '1', 'witness'])).toBe(word);
}

beforeAll(async () => {
  await daemon.ok(['run', '-di', '--name', 'witness', 'busybox', 'cat']);
  witness = await witnessOf();
});

/** Each test leaves the witness alone. */
beforeEach(async () => {
  if ((await status('box')) !== 'gone') await daemon.ok(['rm', '-f', '-v', 'box']);
});

test.each(['create.layer', 'volume.directory', 'volume.record', 'create.volumes', 'create.record'])('create, cut off at %s', async (point) => {
  const create = (): Promise<string> => daemon.ok(['create', '--name', 'box', '-v', '/anonymous', '-v', 'named:/named', ...sleeper]);
  await crashAt(point, create);
  if (point === 'create.record') expect(await status('box')).toBe('created');
  else await create();
  await daemon.ok(['start', 'box']);
  await daemon.ok(['rm', '-fv', 'box']);
  await daemon.ok(['volume', 'rm', 'named']);
  await expectConsistent(daemon);
});

test.each(['start.mounted', 'volume.copied', 'start.created', 'start.started', 'start.saved'])('start, cut off at %s', async (point) => {
  await daemon.ok(['create', '--name', 'box', '-v', '/bin', ...sleeper]);
  await crashAt(point, () => daemon.ok(['start', 'box']));
  expect(await status('box')).toBe(point === 'start.saved' ? 'running' : 'created');
  await daemon.ok(['start', 'box']);
  expect(await daemon.ok(['exec', 'box', 'echo', 'hi'])).toBe('hi');
});

test.each(['recover.orphans', 'recover.volumes', 'recover.images'])('a start of the daemon, cut off at %s', async (point) => {
  await daemon.ok(['create', '--name', 'box', '-v', '/data', ...sleeper]);
  await daemon.kill();
  await daemon.start({ ISULAD_FAILPOINT: 'start.started' });
  await daemon.isula(['start', 'box']);
  await daemon.died();
  await crashAtStart(point);
  expect(await status('box')).toBe('created');
  await daemon.ok(['start', 'box']);
});

async function crashAtStart(point: string): Promise<void> {
  await daemon.start({ ISULAD_FAILPOINT: point }).catch(() => undefined);
  await daemon.died();
  await daemon.start();
  await expectConsistent(daemon);
  await expectWitness();
}

test.each(['exit.saved', 'clean.runtime', 'clean.unmounted', 'clean.bundle', 'clean.exit'])('an exit, cut off at %s', async (point) => {
  await daemon.ok(['create', '--name', 'box', 'busybox', 'sh', '-c', 'sleep 0.1; exit 7']);
  const before = Date.now();
  await crashAt(point, () => daemon.ok(['start', 'box']));
  const state = at(await inspect('box'), 'State');
  expect([at(state, 'Status'), at(state, 'ExitCode'), at(state, 'OOMKilled')]).toEqual(['exited', 7, false]);
  const finished = Date.parse(String(at(state, 'FinishedAt')));
  expect(finished).toBeGreaterThanOrEqual(Date.parse(String(at(state, 'StartedAt'))));
  expect(finished).toBeGreaterThanOrEqual(before);
  await daemon.ok(['start', 'box']);
  expect(await daemon.ok(['wait', 'box'])).toBe('7');
});

test.each(['clean.runtime', 'clean.exit', 'remove.layer', 'remove.record'])('run --rm, cut off at %s', async (point) => {
  await crashAt(point, () => daemon.ok(['run', '--rm', '--name', 'box', '-v', '/data', 'busybox', 'true']));
  expect(await status('box')).toBe('gone');
  await daemon.ok(['run', '--rm', '--name', 'box', 'busybox', 'true']);
});

const removal = ['remove.marked', 'remove.renamed', 'remove.layer', 'remove.files', 'remove.released', 'remove.record', 'remove.volumes'];

test.each(removal)('rm, cut off at %s', async (point) => {
  await daemon.ok(['create', '--name', 'box', '-v', '/data', ...sleeper]);
  const volume = String(at(await inspect('box'), 'Mounts', 0, 'Name'));
  await crashKeeping(volume, point, () => daemon.ok(['rm', 'box']));
  expect([await status('box'), await hasVolume(volume)]).toEqual(['gone', true]);
  await daemon.ok(['volume', 'rm', volume]);
});

/** As crashAt; the volume outlives its container, which the audit takes for a leak. */
async function crashKeeping(volume: string, point: string, operation: () => Promise<unknown>): Promise<void> {
  await daemon.ok(['create', '--name', 'keeper', '-v', '/x', ...sleeper]);
  await daemon.kill();
  await daemon.start({ ISULAD_FAILPOINT: point });
  await die(operation);
  await daemon.start();
  await waitUntil('the removal to be finished', async () => (await status('box')) === 'gone');
  expect(await hasVolume(volume)).toBe(true);
  await daemon.ok(['rm', '-v', 'keeper']);
  await expectWitness();
}

test.each([...removal, 'volume.renamed', 'volume.forgotten'])('rm -v, cut off at %s', async (point) => {
  await daemon.ok(['create', '--name', 'box', '-v', '/data', ...sleeper]);
  await crashAt(point, () => daemon.ok(['rm', '-v', 'box']));
  expect(await status('box')).toBe('gone');
});

test.each(['stop.saved', 'stop.ended', 'exit.saved'])('stop, cut off at %s', async (point) => {
  await daemon.ok(['run', '-d', '--name', 'box', '--restart', 'unless-stopped', ...sleeper]);
  await crashAt(point, () => daemon.ok(['stop', '-t', '0', 'box']));
  expect(await status('box')).toBe(point === 'stop.saved' ? 'running' : 'exited');
  if (point !== 'stop.saved') expect(at(await inspect('box'), 'State', 'ExitCode')).toBe(137);
  await daemon.ok(['stop', '-t', '0', 'box']);
  expect(await status('box')).toBe('exited');
});

test.each(['', '--rm'])('restart, cut off between its two runs %s', async (option) => {
  await daemon.ok(['run', '-d', '--name', 'box', ...(option === '' ? [] : [option]), ...sleeper]);
  await crashAt('restart.stopped', () => daemon.ok(['restart', '-t', '0', 'box']));
  expect(await status('box')).toBe(option === '' ? 'exited' : 'gone');
});

test.each([['pause.frozen', 'running'], ['pause.saved', 'paused']] as const)('pause, cut off at %s', async (point, expected) => {
  await daemon.ok(['run', '-d', '--name', 'box', ...sleeper]);
  await crashAt(point, () => daemon.ok(['pause', 'box']));
  expect(await status('box')).toBe(expected);
  if (expected === 'paused') await daemon.ok(['unpause', 'box']);
  expect(await daemon.ok(['exec', 'box', 'echo', 'hi'])).toBe('hi');
});

test('rm -f, cut off while the cgroup is frozen to be killed', async () => {
  await daemon.ok(['run', '-d', '--name', 'box', ...sleeper]);
  await crashAt('kill.frozen', () => daemon.ok(['rm', '-f', 'box']));
  await waitUntil('the killed container to end', async () => (await status('box')) === 'exited');
  await daemon.ok(['rm', 'box']);
});

test.each(['unpause.thawed', 'unpause.saved'])('unpause, cut off at %s', async (point) => {
  await daemon.ok(['run', '-d', '--name', 'box', ...sleeper]);
  await daemon.ok(['pause', 'box']);
  await crashAt(point, () => daemon.ok(['unpause', 'box']));
  expect(await status('box')).toBe('running');
  expect(await daemon.ok(['exec', 'box', 'echo', 'hi'])).toBe('hi');
});

test('rename, cut off after its step', async () => {
  await daemon.ok(['create', '--name', 'old', ...sleeper]);
  await crashAt('rename.saved', () => daemon.ok(['rename', 'old', 'box']));
  expect([await status('old'), await status('box')]).toEqual(['gone', 'created']);
});

test.each(['update.applied', 'update.saved'])('update, cut off at %s', async (point) => {
  await daemon.ok(['run', '-d', '--name', 'box', '-m', '64m', ...sleeper]);
  await crashAt(point, () => daemon.ok(['update', '-m', '96m', 'box']));
  const document = await inspect('box');
  const wanted = (point === 'update.saved' ? 96 : 64) * 1024 * 1024;
  expect(at(document, 'HostConfig', 'Memory')).toBe(wanted);
  await waitUntil('the cgroup to have the limit of the record', () => memoryLimit(String(at(document, 'State', 'Pid'))) === wanted);
});

function memoryLimit(pid: string): number {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n').map((line) => line.split(':'));
  const v1 = lines.find(([, controllers]) => controllers?.split(',').includes('memory'))?.[2];
  const v2 = join('/sys/fs/cgroup', lines[0]?.[2] ?? '', 'memory.max');
  const file = v1 === undefined ? v2 : join('/sys/fs/cgroup/memory', v1, 'memory.limit_in_bytes');
  return Number(readFileSync(file, 'utf8'));
}

test.each(['exec.prepared', 'exec.started'])('exec, cut off at %s', async (point) => {
  await daemon.ok(['run', '-d', '--name', 'box', ...sleeper]);
  await crashAt(point, () => daemon.ok(['exec', 'box', 'echo', 'hi']));
  expect(await daemon.ok(['exec', 'box', 'echo', 'hi'])).toBe('hi');
});

test.each(['volume.directory', 'volume.record'])('volume create, cut off at %s', async (point) => {
  const create = (): Promise<unknown> => daemon.http('POST', '/volumes/create', { json: { Name: 'vol' } });
  await crashAt(point, create);
  expect(await hasVolume('vol')).toBe(point === 'volume.record');
  await create();
  await daemon.ok(['volume', 'rm', 'vol']);
});

test.each(['volume.renamed', 'volume.forgotten'])('volume rm, cut off at %s', async (point) => {
  await daemon.http('POST', '/volumes/create', { json: { Name: 'vol' } });
  await crashAt(point, () => daemon.ok(['volume', 'rm', 'vol']));
  expect(await hasVolume('vol')).toBe(false);
});

/** An image whose layer is no other's. */
async function importOther(): Promise<void> {
  const tar = join(daemon.dir, 'other.tar');
  expect(Bun.spawnSync(['tar', '-C', '/etc', '-cf', tar, 'hostname', 'passwd']).exitCode).toBe(0);
  await daemon.ok(['import', tar, 'other:1']);
}

async function hasImage(name: string): Promise<boolean> {
  return (await daemon.http('GET', `/images/${name}/json`)).status === 200;
}

test.each(['image-blob', 'image-layer-unpacked', 'image-layer', 'image-row'])('import, cut off at %s', async (point) => {
  await crashAt(point, importOther);
  expect(await hasImage('other:1')).toBe(point === 'image-row');
  await importOther();
  await daemon.ok(['rmi', 'other:1']);
  await expectConsistent(daemon);
});

test('tag, cut off after its step', async () => {
  await crashAt('image.named', () => daemon.ok(['tag', 'busybox', 'named:1']));
  expect([await hasImage('named:1'), await hasImage('busybox')]).toEqual([true, true]);
  await daemon.ok(['rmi', 'named:1']);
});

test.each(['image.untagged', 'image-deleted', 'layer.removed', 'blob.removed'])('rmi, cut off at %s', async (point) => {
  await importOther();
  await crashAt(point, () => daemon.ok(['rmi', 'other:1']));
  expect(await hasImage('other:1')).toBe(false);
  // Between the two steps of docker's rmi it has lost its name only.
  expect((await daemon.http('POST', '/images/prune')).status).toBe(200);
  await expectConsistent(daemon);
  expect(at((await daemon.http('GET', '/images/json')).json(), 'length')).toBe(1);
});

test('the log of what ran through all of it has every line once', async () => {
  const lines = (await daemon.ok(['logs', 'witness'])).split('\n');
  expect(lines).toEqual(Array.from({ length: round }, (_, index) => `round ${index + 1}`));
});

test('the layers of an image that was removed by force go with its last container', async () => {
  await importOther();
  await daemon.ok(['create', '--name', 'box', 'other:1', 'true']);
  await daemon.ok(['rmi', '-f', 'other:1']);
  expect(await hasImage('other:1')).toBe(false);
  await daemon.ok(['rm', 'box']);
  await expectConsistent(daemon);
});
