import { shortId } from '../../base/index.ts';
import { numberAt, textAt, textsAt } from '../../client/index.ts';
import { type Command, ExitError, filterQuery, segment } from '../command.ts';
import { printList, type Row } from '../format/list.ts';
import { ellipsis } from '../format/table.ts';
import { ago, goTime, humanSize, localTime, spacedSize } from '../format/units.ts';
import { splitTag } from '../reference.ts';
import { print } from '../terminal/output.ts';

const createdByMax = 45;
const none = '<none>';

const titles = {
  Ref: 'REF', Repository: 'REPOSITORY', Tag: 'TAG', Digest: 'DIGEST', ID: 'IMAGE ID', GuideCreated: 'CREATED', GuideSize: 'SIZE',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT', Size: 'SIZE', VirtualSize: 'SIZE', SharedSize: 'SHARED SIZE', UniqueSize: 'UNIQUE SIZE', Containers: 'CONTAINERS',
};

/** `isula images` in the guide's columns (1.3.6.2.2), with docker's options (4.5.3.3). */
export const images: Command = {
  spec: {
    name: 'images', usage: '[OPTIONS] [REPOSITORY[:TAG]]', summary: 'List images', args: { min: 0, max: 1 }, completes: 'images',
    flags: [
      { name: 'all', short: 'a', type: 'bool', help: 'Show all images (default hides intermediate images)' },
      { name: 'digests', type: 'bool', help: 'Show digests' },
      { name: 'filter', short: 'f', type: 'list', metavar: 'filter', help: 'Filter output based on conditions provided' },
      { name: 'format', type: 'string', help: "Format output: 'table', 'table TEMPLATE', 'json' or a Go template" },
      { name: 'no-trunc', type: 'bool', help: "Don't truncate output" },
      { name: 'quiet', short: 'q', type: 'bool', aliases: ['quit'], help: 'Only show image names (IDs of images without a name)' },
    ],
  },
  async run({ client, flags, args: [reference] }) {
    const filters = filterQuery(flags.list('filter'), reference === undefined ? [] : [['reference', reference]]);
    const list = await client.json('GET', '/images/json', { query: { all: flags.bool('all'), digests: flags.bool('digests'), filters } });
    const whole = flags.bool('no-trunc');
    const found = (Array.isArray(list) ? list : []).toSorted((a, b) => numberAt(b, 'Created') - numberAt(a, 'Created'));
    const format = flags.text('format');
    if (flags.bool('quiet') && format === '') {
      // Table 1-26: names. An image without one is told by its ID, so that every line can be given to another command.
      const lines = found.flatMap((image) => namesOf(image, false).map(({ repository, tag }) => {
        if (tag !== none) return `${repository}:${tag}`;
        return whole ? textAt(image, 'Id') : shortId(textAt(image, 'Id'));
      }));
      print(lines.map((line) => `${line}\n`).join(''));
      return 0;
    }
    const rows = found.flatMap((image) => namesOf(image, flags.bool('digests')).map((name) => imageRow(image, name, whole)));
    const columns = ['Ref', ...(flags.bool('digests') ? ['Digest'] : []), 'ID', 'GuideCreated', 'GuideSize'];
    await printList({ format, columns, titles, context: 'imageContext' }, rows);
    return 0;
  },
};

interface ImageName {
  repository: string;
  tag: string;
  digest: string;
}

/** A line for every tag; an image whose tags moved on keeps one line of none. */
function namesOf(image: unknown, digests: boolean): ImageName[] {
  const tags = textsAt(image, 'RepoTags').filter((tag) => tag !== `${none}:${none}`).map(splitTag);
  const byDigest = textsAt(image, 'RepoDigests').filter((text) => !text.startsWith(none)).map((text) => {
    const at = text.indexOf('@');
    return { repository: text.slice(0, at), digest: text.slice(at + 1) };
  });
  const rows = tags.map(
    ({ repository, tag }) => ({ repository, tag, digest: byDigest.find((one) => one.repository === repository)?.digest ?? none }),
  );
  if (rows.length > 0) return rows;
  const first = byDigest[0];
  if (first === undefined) return [{ repository: none, tag: none, digest: none }];
  return digests ? byDigest.map((one) => ({ ...one, tag: none })) : [{ repository: first.repository, tag: none, digest: first.digest }];
}

function imageRow(image: unknown, { repository, tag, digest }: ImageName, whole: boolean): Row {
  const created = numberAt(image, 'Created') * 1000;
  const size = numberAt(image, 'Size');
  const optional = (field: string, show: (value: number) => string): string => {
    const value = numberAt(image, field);
    return value < 0 ? 'N/A' : show(value);
  };
  // What a table does not show is not worked out: a host may have thousands of images.
  return {
    // The image whose tag moved is shown as none, even where its repository is known.
    Ref: tag === none ? none : `${repository}:${tag}`,
    Repository: repository, Tag: tag, Digest: digest, ID: whole ? textAt(image, 'Id') : shortId(textAt(image, 'Id')),
    get GuideCreated() {
      return localTime(created);
    },
    get CreatedAt() {
      return goTime(created);
    },
    get GuideSize() {
      return spacedSize(size);
    },
    get CreatedSince() {
      return ago(created);
    },
    get Size() {
      return humanSize(size);
    },
    get VirtualSize() {
      return humanSize(size);
    },
    get SharedSize() {
      return optional('SharedSize', humanSize);
    },
    get UniqueSize() {
      return optional('SharedSize', (shared) => humanSize(size - shared));
    },
    get Containers() {
      return optional('Containers', String);
    },
  };
}

/** `isula history`. `-H` is docker's --human here: the daemon is named by --host. */
export const history: Command = {
  spec: {
    name: 'history', usage: '[OPTIONS] IMAGE', summary: 'Show the history of an image', args: { min: 1, max: 1 }, completes: 'images',
    flags: [
      { name: 'format', type: 'string', help: "Format output: 'table', 'table TEMPLATE', 'json' or a Go template" },
      { name: 'human', short: 'H', type: 'bool', default: 'true', help: 'Print sizes and dates in human readable format' },
      { name: 'no-trunc', type: 'bool', help: "Don't truncate output" },
      { name: 'quiet', short: 'q', type: 'bool', help: 'Only show image IDs' },
    ],
  },
  async run({ client, flags, args: [image = ''] }) {
    if (image === '') throw new ExitError(1, 'invalid reference format');
    const answer = await client.json('GET', `/images/${segment(image)}/history`);
    const whole = flags.bool('no-trunc');
    const human = flags.bool('human');
    const list = Array.isArray(answer) ? answer : [];
    const rows = list.map((row) => {
      const created = numberAt(row, 'Created') * 1000;
      const by = textAt(row, 'CreatedBy').replaceAll('\t', ' ');
      const size = numberAt(row, 'Size');
      const id = textAt(row, 'Id');
      return {
        ID: whole ? id : shortId(id), CreatedSince: human ? ago(created) : new Date(created).toISOString().replace('.000Z', 'Z'),
        CreatedAt: new Date(created).toISOString().replace('.000Z', 'Z'), CreatedBy: whole ? by : ellipsis(by, createdByMax),
        Size: human ? humanSize(size) : String(size), Comment: textAt(row, 'Comment'), Tags: textsAt(row, 'Tags').join(','),
      };
    });
    if (flags.bool('quiet')) {
      print(rows.map((row) => `${row.ID}\n`).join(''));
      return 0;
    }
    const historyTitles = {
      ID: 'IMAGE', CreatedSince: 'CREATED', CreatedAt: 'CREATED AT', CreatedBy: 'CREATED BY', Size: 'SIZE', Comment: 'COMMENT', Tags: 'TAGS',
    };
    await printList({
      format: flags.text('format'), columns: ['ID', human ? 'CreatedSince' : 'CreatedAt', 'CreatedBy', 'Size', 'Comment'],
      titles: historyTitles, context: 'historyContext',
    }, rows);
    return 0;
  },
};
