import { type ApiClient, listAt, numberAt, textAt, textsAt } from '../../client/index.ts';
import { type Command, type Context, ExitError, filterQuery } from '../command.ts';
import type { Flag } from '../flags/index.ts';
import { humanSize } from '../format/units.ts';
import { byteReader } from '../terminal/input.ts';
import { print } from '../terminal/output.ts';

const forceFlag: Flag = { name: 'force', short: 'f', type: 'bool', help: 'Do not prompt for confirmation' };
const filterFlag: Flag = { name: 'filter', type: 'list', metavar: 'filter', help: 'Provide filter values (e.g. "until=<timestamp>")' };
const allImagesFlag: Flag = { name: 'all', short: 'a', type: 'bool', help: 'Remove all unused images, not just dangling ones' };

/** Asks on the terminal; what is not yes is no. */
async function confirmed({ flags }: Context, warning: string): Promise<boolean> {
  if (flags.bool('force')) return true;
  print(`${warning}\nAre you sure you want to continue? [y/N] `);
  const answer = new TextDecoder().decode((await byteReader(0)()) ?? new Uint8Array(0));
  return /^y(?:es)?$/i.test(answer.trim());
}

async function containers(client: ApiClient, filters: string | undefined): Promise<number> {
  const report = await client.json('POST', '/containers/prune', { query: { filters } });
  showNames('Deleted Containers:', textsAt(report, 'ContainersDeleted'));
  return numberAt(report, 'SpaceReclaimed');
}

async function images(client: ApiClient, filters: string | undefined): Promise<number> {
  const report = await client.json('POST', '/images/prune', { query: { filters } });
  const lines = listAt(report, 'ImagesDeleted').map(
    (one) => (textAt(one, 'Untagged') === '' ? `deleted: ${textAt(one, 'Deleted')}` : `untagged: ${textAt(one, 'Untagged')}`),
  );
  showNames('Deleted Images:', lines);
  return numberAt(report, 'SpaceReclaimed');
}

async function volumes(client: ApiClient, filters: string | undefined): Promise<number> {
  const report = await client.json('POST', '/volumes/prune', { query: { filters } });
  showNames('Deleted Volumes:', textsAt(report, 'VolumesDeleted'));
  return numberAt(report, 'SpaceReclaimed');
}

function showNames(title: string, names: readonly string[]): void {
  if (names.length > 0) print(`${title}\n${names.map((name) => `${name}\n`).join('')}\n`);
}

function total(bytes: number): number {
  print(`Total reclaimed space: ${humanSize(bytes)}\n`);
  return 0;
}

export const pruneContainers: Command = {
  spec: {
    name: 'container prune', usage: '[OPTIONS]', summary: 'Remove all stopped containers', args: { min: 0, max: 0 }, flags: [filterFlag, forceFlag],
  },
  async run(context) {
    const filters = filterQuery(context.flags.list('filter'));
    if (!(await confirmed(context, 'WARNING! This will remove all stopped containers.'))) return 0;
    return total(await containers(context.client, filters));
  },
};

export const pruneImages: Command = {
  spec: {
    name: 'image prune', usage: '[OPTIONS]', summary: 'Remove unused images', args: { min: 0, max: 0 }, flags: [allImagesFlag, filterFlag, forceFlag],
  },
  async run(context) {
    const all = context.flags.bool('all');
    const filters = filterQuery(context.flags.list('filter'), [['dangling', String(!all)]]);
    const what = all ? 'images without at least one container associated to them' : 'dangling images';
    if (!(await confirmed(context, `WARNING! This will remove all ${what}.`))) return 0;
    return total(await images(context.client, filters));
  },
};

export const pruneVolumes: Command = {
  spec: {
    name: 'volume prune', usage: '[OPTIONS]', summary: 'Remove unused local volumes', args: { min: 0, max: 0 },
    flags: [{ name: 'all', short: 'a', type: 'bool', help: 'Remove all unused volumes, not just anonymous ones' }, filterFlag, forceFlag],
  },
  async run(context) {
    const all = context.flags.bool('all');
    const filters = filterQuery(context.flags.list('filter'), all ? [['all', 'true']] : []);
    if (!(await confirmed(context, `WARNING! This will remove ${all ? 'all' : 'anonymous'} local volumes not used by at least one container.`))) {
      return 0;
    }
    return total(await volumes(context.client, filters));
  },
};

export const pruneSystem: Command = {
  spec: {
    name: 'system prune', usage: '[OPTIONS]', summary: 'Remove unused data', args: { min: 0, max: 0 },
    flags: [
      allImagesFlag, {
        name: 'dry-run', type: 'bool', help: 'Show what is in use and what could be reclaimed, remove nothing',
      }, filterFlag, forceFlag,
      { name: 'volumes', type: 'bool', help: 'Prune anonymous volumes' },
    ],
  },
  async run(context) {
    const { client, flags } = context;
    if (flags.bool('dry-run')) {
      const { df } = await import('./system.ts');
      const { FlagValues } = await import('../flags/index.ts');
      return await df.run({ ...context, flags: new FlagValues(df.spec.flags, { args: [], values: new Map() }) });
    }
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
    let bytes = await containers(client, filters);
    if (flags.bool('volumes')) bytes += await volumes(client, filters);
    bytes += await images(client, filterQuery(list, [['dangling', String(!all)]]));
    return total(bytes);
  },
};
