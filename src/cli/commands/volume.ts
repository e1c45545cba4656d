import { at, listAt, numberAt, objectOf, textAt, textsAt } from '../../client/index.ts';
import { parseKeyValues } from '../key-values.ts';
import { type Command, filterQuery, forEachArgument, segment } from '../command.ts';
import { printList, type Row } from '../format/list.ts';
import { humanSize } from '../format/units.ts';
import { print, printError } from '../terminal/output.ts';
import { UsageError } from '../flags/index.ts';

export const createVolume: Command = {
  spec: {
    name: 'volume create', usage: '[OPTIONS] [VOLUME]', summary: 'Create a volume', args: { min: 0, max: 1 },
    flags: [
      { name: 'driver', short: 'd', type: 'string', default: 'local', help: 'Specify volume driver name' },
      { name: 'label', type: 'list', help: 'Set metadata for a volume' },
      { name: 'name', type: 'string', help: 'Specify volume name', hidden: true },
      { name: 'opt', short: 'o', type: 'list', metavar: 'map', help: 'Set driver specific options' },
    ],
  },
  async run({ client, flags, args: [given = ''] }) {
    if (given !== '' && flags.has('name')) throw new UsageError('Conflicting options: either specify --name or provide positional arg, not both');
    const body = {
      Name: given || flags.text('name'), Driver: flags.text('driver'), DriverOpts: parseKeyValues(flags.list('opt')),
      Labels: parseKeyValues(flags.list('label')),
    };
    print(`${textAt(await client.json('POST', '/volumes/create', { body: { json: body } }), 'Name')}\n`);
    return 0;
  },
};

const titles = {
  Name: 'VOLUME NAME', Driver: 'DRIVER', Scope: 'SCOPE', Mountpoint: 'MOUNTPOINT', Labels: 'LABELS', Links: 'LINKS', Size: 'SIZE', Status: 'STATUS',
  Availability: 'AVAILABILITY', Group: 'GROUP',
};

export const listVolumes: Command = {
  spec: {
    name: 'volume ls', usage: '[OPTIONS]', summary: 'List volumes', args: { min: 0, max: 0 },
    flags: [
      { name: 'filter', short: 'f', type: 'list', metavar: 'filter', help: 'Provide filter values (e.g. "dangling=true")' },
      { name: 'format', type: 'string', help: "Format output: 'table', 'table TEMPLATE', 'json' or a Go template" },
      { name: 'quiet', short: 'q', type: 'bool', help: 'Only display volume names' },
    ],
  },
  async run({ client, flags }) {
    const answer = await client.json('GET', '/volumes', { query: { filters: filterQuery(flags.list('filter')) } });
    for (const warning of textsAt(answer, 'Warnings')) printError(`WARNING: ${warning}\n`);
    const volumes = listAt(answer, 'Volumes').toSorted((a, b) => (textAt(a, 'Name') < textAt(b, 'Name') ? -1 : 1));
    if (flags.bool('quiet')) print(volumes.map((volume) => `${textAt(volume, 'Name')}\n`).join(''));
    else await printList({ format: flags.text('format'), columns: ['Driver', 'Name'], titles, context: 'volumeContext' }, volumes.map(volumeRow));
    return 0;
  },
};

/** Docker's fields of a volume. */
export function volumeRow(volume: unknown): Row {
  const labels = objectOf(at(volume, 'Labels'));
  const usage = at(volume, 'UsageData');
  return {
    Name: textAt(volume, 'Name'), Driver: textAt(volume, 'Driver'), Scope: textAt(volume, 'Scope'), Mountpoint: textAt(volume, 'Mountpoint'),
    Labels: Object.entries(labels).map(([key, value]) => `${key}=${String(value)}`).join(','),
    Label: (name: unknown) => (typeof name === 'string' && Object.hasOwn(labels, name) ? labels[name] : ''),
    Links: usage === undefined || usage === null ? 'N/A' : numberAt(usage, 'RefCount'),
    Size: usage === undefined || usage === null ? 'N/A' : humanSize(numberAt(usage, 'Size')),
  };
}

export const removeVolumes: Command = {
  spec: {
    name: 'volume rm', usage: '[OPTIONS] VOLUME [VOLUME...]', summary: 'Remove one or more volumes', args: { min: 1, max: Number.POSITIVE_INFINITY },
    completes: 'volumes',
    flags: [{ name: 'force', short: 'f', type: 'bool', help: 'Force the removal of one or more volumes' }],
  },
  run: ({ client, flags, args }) =>
    forEachArgument(args, async (name) => {
      await client.json('DELETE', `/volumes/${segment(name)}`, { query: { force: flags.bool('force') } });
      return name;
    }),
};
