import { expect, setDefaultTimeout, test } from 'bun:test';
import { Client, isOnly, randomOf, type Expected, type Status } from './crash-kit.ts';
import { at, expectConsistent, useDaemon, waitUntil } from './harness/index.ts';

/**
 * SIGKILL at random moments while eight clients create, start, exec, stop, restart, pause and remove as fast as they can. After each
 * start every container is what the daemon last promised; at the end nothing is left that no record owns.
 * ISULA_CRASH_SEED repeats the clients' choices, ISULA_CRASH_ROUNDS says how many kills.
 */
const daemon = useDaemon();
const seed = Number(process.env['ISULA_CRASH_SEED'] ?? Date.now() % 1_000_000);
const rounds = Number(process.env['ISULA_CRASH_ROUNDS'] ?? 200);
const clientCount = 8;
const workMs = { min: 20, max: 300 };
setDefaultTimeout(600_000);

interface Found {
  status: string;
  pid: number;
}

async function containers(): Promise<Map<string, Found>> {
  const list = (await daemon.http('GET', '/containers/json?all=1')).json();
  if (!Array.isArray(list)) throw new Error('no list');
  return new Map(list.map((item: unknown) => [
    String(at(item, 'Names', 0)).slice(1), { status: String(at(item, 'State')), pid: Number(at(item, 'Pid')) },
  ]));
}

const statuses: readonly Status[] = ['gone', 'created', 'running', 'paused', 'exited'];

/** What is wrong with a container, if anything; what it was found as is what it must stay. */
function judge(name: string, expected: Expected, found: Found | undefined): string[] {
  const status = statuses.find((known) => known === (found?.status ?? 'gone'));
  const wanted = [...expected.allowed].join(' or ');
  if (status === undefined || !expected.allowed.has(status)) return [`${name} is ${found?.status ?? 'gone'}, not ${wanted}`];
  if (expected.pid !== undefined && isOnly(expected.allowed, 'running') && found?.pid !== expected.pid) {
    return [`${name} has pid ${found?.pid}, it had ${expected.pid}`];
  }
  return [];
}

/** Waits until every container is what it may be, and takes note of what it is. */
async function verify(clients: readonly Client[]): Promise<void> {
  const all = clients.flatMap((client) => [...client.containers]);
  let problems: string[] = [];
  let found = new Map<string, Found>();
  try {
    await waitUntil('the containers to be as promised', async () => {
      found = await containers();
      problems = all.flatMap(([name, expected]) => judge(name, expected, found.get(name)));
      return problems.length === 0;
    }, 30_000);
  } catch (error) {
    throw new Error(`seed ${seed}: ${problems.join('; ')}`, { cause: error });
  }
  for (const [name, expected] of all) {
    const status = statuses.find((known) => known === (found.get(name)?.status ?? 'gone'));
    // What runs to its end by itself may go on to do so.
    const isPassing = expected.kind === 'passing' ? status === 'exited' || status === 'running' : expected.kind === 'seven' && status === 'running';
    if (status !== undefined && !isPassing) expected.allowed = new Set([status]);
  }
}

test(`${rounds} kills at random moments, seed ${seed}`, async () => {
  const random = randomOf(seed);
  const clients = Array.from({ length: clientCount }, (_, number) => new Client(daemon, `c${number}`, randomOf(seed + number + 1)));
  for (let round = 0; round < rounds; round++) {
    let isDead = false;
    const working = clients.map((client) => client.work(() => isDead));
    await Bun.sleep(workMs.min + random() * (workMs.max - workMs.min));
    isDead = true;
    await daemon.kill();
    await Promise.all(working);
    expect(clients.flatMap((client) => client.faults)).toEqual([]);
    await daemon.start();
    await verify(clients);
  }
  console.log(`seed ${seed}: ${rounds} kills, ${clients.reduce((sum, client) => sum + client.done, 0)} operations`);
  await expectConsistent(daemon);
  await verify(clients);
  for (const [name, { kind, allowed }] of clients.flatMap((client) => [...client.containers])) {
    if (kind === 'sleeper' && isOnly(allowed, 'running')) expect(await daemon.ok(['exec', name, 'echo', name])).toBe(name);
    if (kind === 'seven' && isOnly(allowed, 'exited')) expect(await daemon.ok(['inspect', '-f', '{{.State.ExitCode}}', name])).toBe('7');
  }
  await daemon.removeAll();
  await expectConsistent(daemon);
});
