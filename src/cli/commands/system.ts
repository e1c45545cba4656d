import { shortId } from '../../base/index.ts';
import { flagAt, listAt, numberAt, textAt, textsAt } from '../../client/index.ts';
import { type Command } from '../command.ts';
import { printList } from '../format/list.ts';
import { alignRows } from '../format/table.ts';
import { ago, humanSize } from '../format/units.ts';
import { splitTag } from '../reference.ts';
import { print } from '../terminal/output.ts';

const titles = { Type: 'TYPE', TotalCount: 'TOTAL', Active: 'ACTIVE', Size: 'SIZE', Reclaimable: 'RECLAIMABLE' };

/** `isula system df`. */
export const df: Command = {
  spec: {
    name: 'system df', usage: '[OPTIONS]', summary: 'Show disk usage', args: { min: 0, max: 0 },
    flags: [
      { name: 'format', type: 'string', help: "Format output: 'table', 'table TEMPLATE', 'json' or a Go template" },
      { name: 'verbose', short: 'v', type: 'bool', help: 'Show detailed information on space usage' },
    ],
  },
  async run({ client, flags }) {
    const usage = await client.json('GET', '/system/df');
    if (flags.bool('verbose')) print(details(usage));
    else await printList({ format: flags.text('format'), columns: Object.keys(titles), titles, context: 'diskUsageContext' }, summary(usage));
    return 0;
  },
};

function summary(usage: unknown): { Type: string; TotalCount: string; Active: string; Size: string; Reclaimable: string }[] {
  const row = (type: string, total: number, active: number, size: number, reclaimable: number) => ({
    Type: type, TotalCount: String(total), Active: String(active), Size: humanSize(size),
    Reclaimable: humanSize(reclaimable) + (size > 0 ? ` (${Math.floor((reclaimable * 100) / size)}%)` : ''),
  });
  const images = listAt(usage, 'Images');
  const usedImages = images.filter((image) => numberAt(image, 'Containers') > 0);
  const layers = numberAt(usage, 'LayersSize');
  const usedBytes = usedImages.reduce(
    (sum: number, image) => sum + Math.max(0, numberAt(image, 'Size') - Math.max(0, numberAt(image, 'SharedSize'))), 0,
  );
  const containers = listAt(usage, 'Containers');
  const running = (container: unknown): boolean => /^(?:running|paused|restarting)$/.test(textAt(container, 'State'));
  const rw = (list: readonly unknown[]): number => list.reduce((sum: number, one) => sum + numberAt(one, 'SizeRw'), 0);
  const volumes = listAt(usage, 'Volumes');
  const volumeSize = (list: readonly unknown[]): number => list.reduce(
    (sum: number, one) => sum + Math.max(0, numberAt(one, 'UsageData', 'Size')), 0,
  );
  const idle = volumes.filter((one) => numberAt(one, 'UsageData', 'RefCount') === 0);
  return [
    row('Images', images.length, usedImages.length, layers, images.length === usedImages.length ? 0 : Math.max(0, layers - usedBytes)),
    row('Containers', containers.length, containers.filter(running).length, rw(containers), rw(containers.filter((one) => !running(one)))),
    row('Local Volumes', volumes.length, volumes.length - idle.length, volumeSize(volumes), volumeSize(idle)),
  ];
}

function details(usage: unknown): string {
  const images = listAt(usage, 'Images').flatMap((image) => {
    const tags = textsAt(image, 'RepoTags');
    const shared = Math.max(0, numberAt(image, 'SharedSize'));
    const rest = [
      shortId(textAt(image, 'Id')), ago(numberAt(image, 'Created') * 1000), humanSize(numberAt(image, 'Size')), humanSize(shared),
      humanSize(Math.max(0, numberAt(image, 'Size') - shared)), String(numberAt(image, 'Containers')),
    ];
    return (tags.length > 0 ? tags : ['<none>:<none>']).map((name) => {
      const { repository, tag } = splitTag(name);
      return [repository, tag, ...rest];
    });
  });
  const containers = listAt(usage, 'Containers').map((one) => [
    shortId(textAt(one, 'Id')), textAt(one, 'Image'), JSON.stringify(textAt(one, 'Command')), humanSize(numberAt(one, 'SizeRw')),
    ago(numberAt(one, 'Created') * 1000),
    textAt(one, 'Status'), textsAt(one, 'Names').map((name) => name.replace(/^\//, '')).join(','),
  ]);
  const volumes = listAt(usage, 'Volumes').map((one) => [
    textAt(one, 'Name'), String(numberAt(one, 'UsageData', 'RefCount')), humanSize(Math.max(0, numberAt(one, 'UsageData', 'Size'))),
  ]);
  return [
    'Images space usage:\n', alignRows([['REPOSITORY', 'TAG', 'IMAGE ID', 'CREATED', 'SIZE', 'SHARED SIZE', 'UNIQUE SIZE', 'CONTAINERS'], ...images]),
    'Containers space usage:\n', alignRows([['CONTAINER ID', 'IMAGE', 'COMMAND', 'SIZE', 'CREATED', 'STATUS', 'NAMES'], ...containers]),
    'Local Volumes space usage:\n', alignRows([['VOLUME NAME', 'LINKS', 'SIZE'], ...volumes]),
  ].join('\n');
}

/** `isula system check`: exits with 1 when a problem is left. */
export const check: Command = {
  spec: {
    name: 'system check', usage: '[OPTIONS]', summary: 'Check that every byte under the graph root is owned', args: { min: 0, max: 0 },
    flags: [
      { name: 'format', type: 'string', help: "Format output: 'table', 'table TEMPLATE', 'json' or a Go template" },
      { name: 'content', type: 'bool', help: 'Read all blobs and layers, and compare them with their digests' },
      { name: 'repair', type: 'bool', help: 'Repair what can be repaired' },
    ],
  },
  async run({ client, flags }) {
    const repair = flags.bool('repair');
    const report = await client.json(repair ? 'POST' : 'GET', '/system/check', { query: { repair, content: flags.bool('content') } });
    const problems = listAt(report, 'Problems').map((one) => ({
      Kind: textAt(one, 'Kind'), Path: textAt(one, 'Path'), Detail: textAt(one, 'Detail'), Repaired: flagAt(one, 'Repaired'),
    }));
    const format = flags.text('format');
    if (problems.length === 0 && format === '') print('No problems found\n');
    else {
      const shown = { Kind: 'KIND', Path: 'PATH', Detail: 'DETAIL', Repaired: 'REPAIRED' };
      await printList({ format, columns: Object.keys(shown), titles: shown, context: 'checkContext' }, problems);
    }
    return problems.some((problem) => !problem.Repaired) ? 1 : 0;
  },
};
