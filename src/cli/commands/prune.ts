import { type ApiClient, listAt, numberAt, textAt, textsAt } from '../../client/index.ts';
import { type Command, type Context, ExitError, filterQuery } from '../command.ts';
import type { Flag } from '../flags/index.ts';
import { humanSize } from '../format/units.ts';
import { byteReader } from '../terminal/input.ts';
import { print } from '../terminal/output.ts';

const forceFlag: Flag = { name: 'force', short: 'f', type: 'bool', help: 'Do not prompt for confirmation' };
const filterFlag: Flag = { name: 'filter', type: 'list', metavar: 'filter', help: 'Provide filter values (e.g. "until=<timestamp>")' };
const dryRunFlag: Flag = { name: 'dry-run', type: 'bool', help: 'Show what would be removed, remove nothing' };
const allImagesFlag: Flag = { name: 'all', short: 'a', type: 'bool', help: 'Remove all unused images, not just dangling ones' };

/** True: go on. Asks on the terminal; what is not yes is no. A dry run needs no consent. */
async function confirmed({ flags }: Context, warning: string): Promise<boolean> {
  if (flags.bool('force') || flags.bool('dry-run')) return true;
  print(`${warning}\nAre you sure you want to continue? [y/N] `);
  const answer = new TextDecoder().decode((await byteReader(0)()) ?? new Uint8Array(0));
  return /^y(?:es)?$/i.test(answer.trim());
}

/** One `prune` after another: a dry run counts the containers of the first as gone. */
class Pruning {
  #gone: string[] = [];

  constructor(readonly client: ApiClient, readonly dryRun: boolean) {}

  #post(path: string, filters: string | undefined): Promise<unknown> {
    if (!this.dryRun) return this.client.json('POST', path, { query: { filters } });
    return this.client.json('POST', path, { query: { filters, 'dry-run': true }, body: { json: { WithoutContainers: this.#gone } } });
  }

  async containers(filters: string | undefined): Promise<number> {
    const report = await this.#post('/containers/prune', filters);
    this.#gone = textsAt(report, 'ContainersDeleted');
    this.#showNames('Containers', this.#gone);
    return numberAt(report, 'SpaceReclaimed');
  }

  async images(filters: string | undefined): Promise<number> {
    const report = await this.#post('/images/prune', filters);
    const lines = listAt(report, 'ImagesDeleted').map(
      (one) => (textAt(one, 'Untagged') === '' ? `deleted: ${textAt(one, 'Deleted')}` : `untagged: ${textAt(one, 'Untagged')}`),
    );
    this.#showNames('Images', lines);
    return numberAt(report, 'SpaceReclaimed');
  }

  async volumes(filters: string | undefined): Promise<number> {
    const report = await this.#post('/volumes/prune', filters);
    this.#showNames('Volumes', textsAt(report, 'VolumesDeleted'));
    return numberAt(report, 'SpaceReclaimed');
  }

  #showNames(what: string, names: readonly string[]): void {
    if (names.length === 0) return;
    const title = this.dryRun ? `${what} that would be deleted:` : `Deleted ${what}:`;
    print(`${title}\n${names.map((name) => `${name}\n`).join('')}\n`);
  }

  total(bytes: number): number {
    print(`${this.dryRun ? 'Space that would be reclaimed' : 'Total reclaimed space'}: ${humanSize(bytes)}\n`);
    return 0;
  }
}

function pruningOf({ client, flags }: Context): Pruning {
  return new Pruning(client, flags.bool('dry-run'));
}

export const pruneContainers: Command = {
  spec: {
    name: 'container prune', usage: '[OPTIONS]', summary: 'Remove all stopped containers', args: { min: 0, max: 0 },
    flags: [dryRunFlag, filterFlag, forceFlag],
  },
  async run(context) {
    const filters = filterQuery(context.flags.list('filter'));
    if (!(await confirmed(context, 'WARNING! This will remove all stopped containers.'))) return 0;
    const pruning = pruningOf(context);
    return pruning.total(await pruning.containers(filters));
  },
};

export const pruneImages: Command = {
  spec: {
    name: 'image prune', usage: '[OPTIONS]', summary: 'Remove unused images', args: { min: 0, max: 0 },
    flags: [allImagesFlag, dryRunFlag, filterFlag, forceFlag],
  },
  async run(context) {
    const all = context.flags.bool('all');
    const filters = filterQuery(context.flags.list('filter'), [['dangling', String(!all)]]);
    const what = all ? 'images without at least one container associated to them' : 'dangling images';
    if (!(await confirmed(context, `WARNING! This will remove all ${what}.`))) return 0;
    const pruning = pruningOf(context);
    return pruning.total(await pruning.images(filters));
  },
};

export const pruneVolumes: Command = {
  spec: {
    name: 'volume prune', usage: '[OPTIONS]', summary: 'Remove unused local volumes', args: { min: 0, max: 0 },
    flags: [{ name: 'all', short: 'a', type: 'bool', help: 'Remove all unused volumes, not just anonymous ones' }, dryRunFlag, filterFlag, forceFlag],
  },
  async run(context) {
    const all = context.flags.bool('all');
    const filters = filterQuery(context.flags.list('filter'), all ? [['all', 'true']] : []);
    if (!(await confirmed(context, `WARNING! This will remove ${all ? 'all' : 'anonymous'} local volumes not used by at least one container.`))) {
      return 0;
    }
    const pruning = pruningOf(context);
    return pruning.total(await pruning.volumes(filters));
  },
};

export const pruneSystem: Command = {
  spec: {
    name: 'system prune', usage: '[OPTIONS]', summary: 'Remove unused data', args: { min: 0, max: 0 },
    flags: [
      allImagesFlag, dryRunFlag, filterFlag, forceFlag,
      { name: 'volumes', type: 'bool', help: 'Prune anonymous volumes' },
    ],
  },
  async run(context) {
    const { flags } = context;
    const all = flags.bool('all');
    const list = flags.list('filter');
    const filters = filterQuery(list);
    if (flags.bool('volumes') && list.some((filter) => filter.startsWith('until='))) {
      throw new ExitError(1, 'The "until" filter is not supported with "--volumes"');
    }
    const what = [
      'all stopped containers', ...(flags.bool('volumes') ? ['all anonymous volumes not used by at least one container'] : []),
      all ? 'all images without at least one container associated to them' : 'all dangling images',
    ];
    if (!(await confirmed(context, `WARNING! This will remove:\n${what.map((item) => `  - ${item}`).join('\n')}\n`))) return 0;
    const pruning = pruningOf(context);
    let bytes = await pruning.containers(filters);
    if (flags.bool('volumes')) bytes += await pruning.volumes(filters);
    bytes += await pruning.images(filterQuery(list, [['dangling', String(!all)]]));
    return pruning.total(bytes);
  },
};
