import { isEngineError, shortId } from '../../base/index.ts';
import { type ApiClient, at, jsonLines, listAt, numberAt, textAt } from '../../client/index.ts';
import { type Command, containerPath } from '../command.ts';
import { printList, type Row } from '../format/list.ts';
import { binarySize, humanSize } from '../format/units.ts';
import { print } from '../terminal/output.ts';
import { isTerminal } from '../terminal/terminal.ts';

const redrawMs = 500;
/** How often a list of all containers looks for new ones. */
const discoverMs = 2000;

const titles = {
  Container: 'CONTAINER', ID: 'CONTAINER ID', Name: 'NAME', CPUPerc: 'CPU %', MemUsage: 'MEM USAGE / LIMIT', MemPerc: 'MEM %', NetIO: 'NET I/O',
  BlockIO: 'BLOCK I/O',
  PIDs: 'PIDS',
};
const columns = ['ID', 'Name', 'CPUPerc', 'MemUsage', 'MemPerc', 'NetIO', 'BlockIO', 'PIDs'];

/** `isula stats` (guide 1.3.1.15, docker's 4.5.2.18). */
export const stats: Command = {
  spec: {
    name: 'stats', usage: '[OPTIONS] [CONTAINER...]', summary: 'Display a live stream of container(s) resource usage statistics',
    args: { min: 0, max: Number.POSITIVE_INFINITY },
    completes: 'running',
    flags: [
      { name: 'all', short: 'a', type: 'bool', help: 'Show all containers (default shows just running)' },
      { name: 'format', type: 'string', help: "Format output: 'table', 'table TEMPLATE', 'json' or a Go template" },
      { name: 'no-stream', type: 'bool', help: 'Disable streaming stats and only pull the first result' },
      { name: 'no-trunc', type: 'bool', help: 'Do not truncate output' },
    ],
  },
  async run({ client, flags, args }) {
    const view = { format: flags.text('format'), columns, titles, context: 'statsContext' };
    const whole = flags.bool('no-trunc');
    if (flags.bool('no-stream')) {
      const names = args.length > 0 ? args : await listed(client, flags.bool('all'));
      const samples = await Promise.all(names.map((name) => once(client, name, args.length === 0)));
      await printList(view, samples.filter((sample) => sample !== undefined).map(({ name, value }) => statsRow(name, value, whole)));
      return 0;
    }
    const watch = new Watch(client, args, flags.bool('all'));
    let over = false;
    const following = watch.follow().finally(() => {
      over = true;
    });
    following.catch(() => undefined);
    for (;;) {
      await Bun.sleep(redrawMs);
      if (over) await following;
      const clear = isTerminal(1) && (view.format === '' || view.format.startsWith('table')) ? '\x1b[H\x1b[J' : '';
      print(clear);
      await printList(view, watch.rows(whole));
      if (over) return 0;
    }
  },
};

async function listed(client: ApiClient, all: boolean): Promise<string[]> {
  const containers = await client.json('GET', '/containers/json', { query: { all } });
  return (Array.isArray(containers) ? containers : []).map((container) => textAt(container, 'Id'));
}

/** A sample with its rates; undefined for a container of the list that has gone meanwhile. */
async function once(client: ApiClient, name: string, listedOnly: boolean): Promise<{ name: string; value: unknown } | undefined> {
  try {
    return { name, value: await client.json('GET', containerPath(name, '/stats'), { query: { stream: '0' } }) };
  } catch (error) {
    if (listedOnly && isEngineError(error, 'notFound')) return undefined;
    throw error;
  }
}

/** Follows containers; those of the whole list come and go. */
class Watch {
  readonly #latest = new Map<string, unknown>();
  readonly #following = new Set<string>();

  constructor(readonly client: ApiClient, readonly names: readonly string[], readonly all: boolean) {}

  /** Ends when all named containers are gone. @throws for a named one that cannot be read. */
  async follow(): Promise<void> {
    if (this.names.length > 0) {
      await Promise.all(this.names.map((name) => this.#one(name)));
      return;
    }
    for (;;) {
      for (const name of await listed(this.client, this.all)) {
        if (!this.#following.has(name)) void this.#one(name).catch(() => undefined).finally(() => this.#forget(name));
      }
      await Bun.sleep(discoverMs);
    }
  }

  rows(whole: boolean): Row[] {
    return [...this.#latest].map(([name, value]) => statsRow(name, value, whole));
  }

  #forget(name: string): void {
    this.#following.delete(name);
    this.#latest.delete(name);
  }

  async #one(name: string): Promise<void> {
    this.#following.add(name);
    this.#latest.set(name, undefined);
    const { body } = await this.client.open('GET', containerPath(name, '/stats'), { query: { stream: true } });
    for await (const sample of jsonLines(body)) this.#latest.set(name, sample);
    // Its end is the container's removal.
    this.#latest.delete(name);
  }
}

/** Docker's numbers from its stats JSON (moby: calculateCPUPercentUnix and its neighbours). */
function statsRow(name: string, sample: unknown, whole: boolean): Row {
  const id = textAt(sample, 'id') || name;
  const empty = sample === undefined;
  const usage = memoryUsed(sample);
  const limit = numberAt(sample, 'memory_stats', 'limit');
  const show = (text: string): string => (empty ? '--' : text);
  return {
    Container: name, ID: whole ? id : shortId(id), Name: show(textAt(sample, 'name').replace(/^\//, '')),
    CPUPerc: show(`${cpuPercent(sample).toFixed(2)}%`), MemUsage: empty ? '-- / --' : `${binarySize(usage)} / ${binarySize(limit)}`,
    MemPerc: show(`${(limit > 0 ? (usage / limit) * 100 : 0).toFixed(2)}%`), NetIO: show(pair(network(sample))), BlockIO: show(pair(blockIo(sample))),
    PIDs: show(String(numberAt(sample, 'pids_stats', 'current'))),
  };
}

function cpuPercent(sample: unknown): number {
  const used = numberAt(sample, 'cpu_stats', 'cpu_usage', 'total_usage') - numberAt(sample, 'precpu_stats', 'cpu_usage', 'total_usage');
  const system = numberAt(sample, 'cpu_stats', 'system_cpu_usage') - numberAt(sample, 'precpu_stats', 'system_cpu_usage');
  const cpus = numberAt(sample, 'cpu_stats', 'online_cpus') || listAt(sample, 'cpu_stats', 'cpu_usage', 'percpu_usage').length;
  return used > 0 && system > 0 && numberAt(sample, 'precpu_stats', 'system_cpu_usage') > 0 ? (used / system) * cpus * 100 : 0;
}

/** Without the inactive page cache: cgroup v1's `total_inactive_file`, v2's `inactive_file`. */
function memoryUsed(sample: unknown): number {
  const usage = numberAt(sample, 'memory_stats', 'usage');
  const cache = numberAt(sample, 'memory_stats', 'stats', 'total_inactive_file') || numberAt(sample, 'memory_stats', 'stats', 'inactive_file');
  return cache < usage ? usage - cache : usage;
}

function network(sample: unknown): [number, number] {
  const networks = Object.values(at(sample, 'networks') ?? {});
  const sum = (key: string): number => networks.reduce((total: number, one: unknown) => total + numberAt(one, key), 0);
  return [sum('rx_bytes'), sum('tx_bytes')];
}

function blockIo(sample: unknown): [number, number] {
  const entries = listAt(sample, 'blkio_stats', 'io_service_bytes_recursive');
  const sum = (op: string): number => entries.filter((entry) => textAt(entry, 'op').toLowerCase() === op).reduce(
    (total: number, entry) => total + numberAt(entry, 'value'), 0,
  );
  return [sum('read'), sum('write')];
}

function pair([first, second]: [number, number]): string {
  return `${humanSize(first)} / ${humanSize(second)}`;
}
