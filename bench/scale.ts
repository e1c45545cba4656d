import { existsSync } from 'node:fs';
import { image, output, request, timed, type Contender } from './contender.ts';
import { pssBytes, Samples } from './measure.ts';
import { tableOf, type RowFormat, type Table } from './report.ts';
import { waiting } from './serial.ts';

const running = 100;
const records = 1000;
const survivors = 500;
/** Requests to an API at once. */
const atOnce = 16;
const megabyte = 1_000_000;

async function inParallel(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function createByApi(engine: Contender, name: string): Promise<void> {
  await request(engine, 'POST', `/containers/create?name=${name}`, { Image: image, Cmd: waiting, HostConfig: { NetworkMode: 'none' } });
}

async function runMany(engine: Contender, prefix: string, count: number): Promise<void> {
  if (engine.socket === undefined) {
    await inParallel(count, async (index) => {
      await output(engine, ['run', '-d', ...engine.createOptions, '--name', `${prefix}-${index}`, image, ...waiting]);
    });
    return;
  }
  await inParallel(count, async (index) => {
    await createByApi(engine, `${prefix}-${index}`);
    await request(engine, 'POST', `/containers/${prefix}-${index}/start`);
  });
}

async function removeMany(engine: Contender, prefix: string, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
  if (engine.socket === undefined) await output(engine, ['rm', '-f', '-t', '0', ...names]);
  else await inParallel(count, (index) => request(engine, 'DELETE', `/containers/${prefix}-${index}?force=1`).then(() => undefined));
}

/** Memory settles when the garbage of the work before it is gone; so long it is given. */
const settleMs = 5000;

/** Memory of daemon and monitors, after the import of one image and with a hundred containers. Runs before all else. */
export async function memory(engines: readonly Contender[]): Promise<Table> {
  const samples = new Samples();
  await Bun.sleep(settleMs);
  const served = engines.filter(({ socket }) => socket !== undefined);
  for (const engine of served) samples.add('daemon, fresh', engine.name, pssBytes(engine.daemons()) / megabyte);
  for (const engine of engines) await runMany(engine, 'memory', running);
  await Bun.sleep(settleMs);
  for (const engine of served) samples.add(`daemon, ${running} running`, engine.name, pssBytes(engine.daemons()) / megabyte);
  for (const engine of engines) samples.add('monitor of one container', engine.name, pssBytes(engine.monitors()) / running / megabyte);
  for (const engine of engines) {
    samples.add(`all, ${running} running`, engine.name, pssBytes([...engine.daemons(), ...engine.monitors()]) / megabyte);
  }
  for (const engine of engines) await removeMany(engine, 'memory', running);
  const ratios: Record<string, number> = { 'daemon, fresh': 0.75, [`daemon, ${running} running`]: 0.4, 'monitor of one container': 0.2 };
  return tableOf('memory', samples, engines, (row) => ({ unit: 'MB', ...(ratios[row] === undefined ? {} : { ratio: ratios[row] }) }));
}

/** Waits until the daemon answers the command line's `ps`, and gives the time in ms. */
async function untilAnswered(engine: Contender): Promise<number> {
  const started = performance.now();
  for (;;) {
    // The socket of the daemon before it may still be there.
    if (engine.socket !== undefined && existsSync(engine.socket)) {
      const answered = await timed(engine, ['ps']).then(() => true, () => false);
      if (answered) return performance.now() - started;
    }
    if (performance.now() - started > 60_000) throw new Error(`${engine.name} does not answer`);
    await Bun.sleep(5);
  }
}

/** `ps` with a thousand records. */
export async function recordList(engines: readonly Contender[], rounds: number): Promise<Table> {
  const samples = new Samples();
  const served = engines.filter(({ socket }) => socket !== undefined);
  for (const engine of served) await inParallel(records, (index) => createByApi(engine, `record-${index}`));
  for (let round = 0; round < rounds; round++) {
    for (const engine of served) samples.add(`ps -a, ${records} records`, engine.name, await timed(engine, ['ps', '-a']));
  }
  for (const engine of served) await removeMany(engine, 'record', records);
  return tableOf('records', samples, served, () => ({ unit: 'ms', ratio: 0.7 }));
}

/** The daemon is killed and started again with five hundred running containers. */
export async function restart(engines: readonly Contender[], rounds: number): Promise<Table> {
  const samples = new Samples();
  const isula = engines.filter(({ crash }) => crash !== undefined);
  for (const engine of isula) {
    await runMany(engine, 'survivor', survivors);
    for (let round = 0; round < rounds; round++) {
      await engine.crash?.kill();
      engine.crash?.start();
      samples.add(`start until ps is answered, ${survivors} running`, engine.name, await untilAnswered(engine) / 1000);
      const count = (await output(engine, ['ps', '-q'])).split('\n').length;
      if (count !== survivors) throw new Error(`${engine.name}: ${count} of ${survivors} run after the restart`);
    }
    await removeMany(engine, 'survivor', survivors);
  }
  const format: RowFormat = { unit: 's', atMost: 1 };
  return tableOf('restart', samples, isula, () => format);
}
