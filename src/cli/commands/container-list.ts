import { humanDuration, shortId } from '../../base/index.ts';
import { at, listAt, numberAt, objectOf, textAt, textsAt } from '../../client/index.ts';
import { type Command, filterQuery } from '../command.ts';
import { printList, type Row } from '../format/list.ts';
import { ellipsis } from '../format/table.ts';
import { ago, goTime, humanSize, momentOf } from '../format/units.ts';
import { print } from '../terminal/output.ts';

const commandMax = 20;

/** Titles of the fields: the guide's where it shows them (1.3.1.11), docker's for the others. */
const titles: Readonly<Record<string, string>> = {
  ID: 'ID', Image: 'IMAGE', GuideStatus: 'STATUS', Pid: 'PID', Command: 'COMMAND', ExitCode: 'EXIT_CODE', RestartCount: 'RESTART_COUNT',
  StartAt: 'STARTAT', FinishAt: 'FINISHAT', Runtime: 'RUNTIME', Names: 'NAMES', Name: 'NAMES', Status: 'STATUS', State: 'STATE', Created: 'CREATED',
  CreatedAt: 'CREATED AT', RunningFor: 'CREATED', Ports: 'PORTS', Size: 'SIZE', Labels: 'LABELS', Mounts: 'MOUNTS', LocalVolumes: 'LOCAL VOLUMES',
  Networks: 'NETWORKS', Platform: 'PLATFORM', Health: 'HEALTH',
};

const columns = ['ID', 'Image', 'GuideStatus', 'Pid', 'Command', 'ExitCode', 'RestartCount', 'StartAt', 'FinishAt', 'Runtime', 'Names'];

/** `isula ps` (guide 1.3.1.11, docker's 4.5.2.12). */
export const ps: Command = {
  spec: {
    name: 'ps', usage: '[OPTIONS]', summary: 'List containers', args: { min: 0, max: 0 },
    flags: [
      { name: 'all', short: 'a', type: 'bool', help: 'Show all containers (default shows just running)' },
      { name: 'filter', short: 'f', type: 'list', metavar: 'filter', help: 'Filter output based on conditions provided' },
      { name: 'format', type: 'string', help: "Format output: 'table', 'table TEMPLATE', 'json' or a Go template" },
      { name: 'last', short: 'n', type: 'int', default: '-1', help: 'Show n last created containers (includes all states)' },
      { name: 'latest', short: 'l', type: 'bool', help: 'Show the latest created container (includes all states)' },
      { name: 'no-trunc', type: 'bool', help: "Don't truncate output" },
      { name: 'quiet', short: 'q', type: 'bool', help: 'Only display container IDs' },
      { name: 'size', short: 's', type: 'bool', help: 'Display total file sizes' },
    ],
  },
  async run({ client, flags }) {
    const format = flags.text('format');
    const last = flags.bool('latest') ? 1 : (flags.int('last') ?? -1);
    // The size is computed by walking files: asked for only where it is shown.
    const size = flags.bool('size') || /\.Size\b/.test(format);
    const filters = filterQuery(flags.list('filter').map((filter) => (filter === 'status=inited' ? 'status=created' : filter)));
    const list = await client.json('GET', '/containers/json', {
      query: { all: flags.bool('all') || last > 0, limit: last > 0 ? last : undefined, size, filters },
    });
    const whole = flags.bool('no-trunc');
    const containers = Array.isArray(list) ? list : [];
    if (flags.bool('quiet') && format === '') {
      print(containers.map((container) => `${whole ? textAt(container, 'Id') : shortId(textAt(container, 'Id'))}\n`).join(''));
      return 0;
    }
    const rows = containers.map((container) => containerRow(container, whole));
    await printList({ format, columns: flags.bool('size') ? [...columns, 'Size'] : columns, titles, context: 'ContainerContext' }, rows);
    return 0;
  },
};

/** The fields of docker's ContainerContext and the guide's own. */
function containerRow(container: unknown, whole: boolean): Row {
  const id = textAt(container, 'Id');
  const image = textAt(container, 'Image');
  const labels = objectOf(at(container, 'Labels'));
  const state = textAt(container, 'State');
  const created = numberAt(container, 'Created') * 1000;
  const mounts = listAt(container, 'Mounts');
  const quoted = JSON.stringify(whole ? textAt(container, 'Command') : ellipsis(textAt(container, 'Command'), commandMax));
  const cut = (text: string): string => (whole ? text : ellipsis(text, 15));
  return {
    ID: whole ? id : shortId(id),
    Image: image === '' ? '<no image>' : whole || !/^(?:sha256:)?[0-9a-f]{64}$/.test(image) ? image : shortId(image),
    GuideStatus: guideStatus(state, textAt(container, 'Health')),
    State: state,
    Status: textAt(container, 'Status'),
    Health: textAt(container, 'Health'),
    Pid: numberAt(container, 'Pid'),
    Command: quoted,
    ExitCode: numberAt(container, 'ExitCode'),
    RestartCount: numberAt(container, 'RestartCount'),
    StartAt: agoOrDash(textAt(container, 'StartedAt')),
    FinishAt: state === 'running' || state === 'paused' ? '-' : agoOrDash(textAt(container, 'FinishedAt')),
    Runtime: textAt(container, 'Runtime'),
    Names: textsAt(container, 'Names').map((name) => name.replace(/^\//, '')).join(','),
    Created: ago(created),
    // Asked for only by a --format: the first local time of a process costs 5 ms.
    get CreatedAt() {
      return goTime(created);
    },
    RunningFor: ago(created),
    Ports: listAt(container, 'Ports').map(portText).join(', '),
    Size: sizeText(container),
    Labels: Object.entries(labels).map(([key, value]) => `${key}=${String(value)}`).join(','),
    Label: (name: unknown) => (typeof name === 'string' && Object.hasOwn(labels, name) ? labels[name] : ''),
    Mounts: mounts.map((mount) => cut(textAt(mount, 'Name') || textAt(mount, 'Source'))).join(','),
    LocalVolumes: mounts.filter((mount) => textAt(mount, 'Driver') === 'local').length,
    Networks: Object.keys(objectOf(at(container, 'NetworkSettings', 'Networks'))).join(','),
  };
}

/** The guide's word for a state: a container that never ran is `inited` (1.3.1.1). */
function guideStatus(state: string, health: string): string {
  const word = state === 'created' ? 'inited' : state;
  return health === '' || health === 'none' || state !== 'running' ? word : `${word}(${health})`;
}

function agoOrDash(time: string): string {
  const moment = momentOf(time);
  return moment === undefined ? '-' : `${humanDuration(Math.max(0, Date.now() - moment))} ago`;
}

function portText(port: unknown): string {
  const type = textAt(port, 'Type') || 'tcp';
  const open = numberAt(port, 'PublicPort');
  const inside = `${numberAt(port, 'PrivatePort')}/${type}`;
  return open === 0 ? inside : `${textAt(port, 'IP') || '0.0.0.0'}:${open}->${inside}`;
}

function sizeText(container: unknown): string {
  const root = numberAt(container, 'SizeRootFs');
  return humanSize(numberAt(container, 'SizeRw')) + (root > 0 ? ` (virtual ${humanSize(root)})` : '');
}
