import { realpathSync } from 'node:fs';
import { reasonOf } from '../../base/index.ts';
import { textAt } from '../../client/index.ts';
import { type Command, ExitError, forEachArgument, segment } from '../command.ts';
import { showProgress } from '../progress.ts';
import { splitTag } from '../reference.ts';
import { byteReader, fileReader } from '../terminal/input.ts';
import { print } from '../terminal/output.ts';
import { saveBody } from '../terminal/save-file.ts';
import { isTerminal } from '../terminal/terminal.ts';

const many = Number.POSITIVE_INFINITY;

/** Bytes of a file, or of standard input for `-` and nothing. @throws ExitError. */
function source(path: string, what: string): () => Promise<Uint8Array | undefined> {
  if (path === '' || path === '-') {
    if (isTerminal(0)) throw new ExitError(1, `requested ${what} from stdin, but stdin is a terminal`);
    return byteReader(0);
  }
  try {
    return fileReader(path);
  } catch (error) {
    throw new ExitError(1, `open ${path}: ${reasonOf(error)}`);
  }
}

/** `isula load` (guide 1.3.6.1.5 and 1.3.6.2.1, table 1-25). */
export const load: Command = {
  spec: {
    name: 'load', usage: '[OPTIONS]', summary: 'Load an image from a tar archive or STDIN', args: { min: 0, max: 0 },
    flags: [
      { name: 'input', short: 'i', type: 'string', help: 'Read from tar archive file (a manifest for --type embedded), instead of STDIN' },
      { name: 'quiet', short: 'q', type: 'bool', help: 'Suppress the load output' },
      { name: 'tag', type: 'string', help: 'Name for the loaded image, instead of the one in the archive (type docker)' },
      { name: 'type', short: 't', type: 'string', default: 'docker', values: ['docker', 'embedded'], help: 'Type of the image: docker or embedded' },
    ],
  },
  async run({ client, flags }) {
    const type = flags.text('type');
    const input = flags.text('input');
    if (type !== 'docker' && type !== 'embedded') {
      throw new ExitError(125, `Invalid image type: image type must be embedded or docker, got ${JSON.stringify(type)}`);
    }
    if (type === 'embedded' && flags.has('tag')) throw new ExitError(125, "--tag can't be used with --type embedded");
    if (type === 'embedded' && (input === '' || input === '-')) throw new ExitError(125, '--type embedded needs --input=MANIFEST');
    const stream = source(input, 'load');
    const quiet = flags.bool('quiet');
    const { body } = await client.open('POST', '/images/load', {
      query: { quiet: true, tag: flags.text('tag') || undefined, ...(type === 'embedded' ? { type, path: realpathSync(input) } : {}) },
      body: { stream, type: 'application/x-tar' },
    });
    const loaded: string[] = [];
    await showProgress(body, { quiet: true, output: 1 }, (message) => {
      const line = textAt(message, 'stream').trim();
      if (line.startsWith('Loaded image')) loaded.push(line);
    });
    if (quiet) return 0;
    for (const line of loaded) print(`${line}\n`);
    print(input === '' || input === '-' ? 'Load image from standard input success\n' : `Load image from "${realpathSync(input)}" success\n`);
    return 0;
  },
};

export const save: Command = {
  spec: {
    name: 'save', usage: '[OPTIONS] IMAGE [IMAGE...]', summary: 'Save one or more images to a tar archive (streamed to STDOUT by default)',
    args: { min: 1, max: many },
    completes: 'images', flags: [{ name: 'output', short: 'o', type: 'string', help: 'Write to a file, instead of STDOUT' }],
  },
  async run({ client, flags, args }) {
    await saveBody(flags.text('output'), async () => (await client.open('GET', '/images/get', { query: { names: args } })).body);
    return 0;
  },
};

export const importImage: Command = {
  spec: {
    name: 'import', usage: '[OPTIONS] file|URL|- [REPOSITORY[:TAG]]', summary: 'Import the contents from a tarball to create a filesystem image',
    args: { min: 1, max: 2 }, completes: 'files',
    flags: [
      { name: 'change', short: 'c', type: 'list', help: 'Apply Dockerfile instruction to the created image' },
      { name: 'message', short: 'm', type: 'string', help: 'Set commit message for imported image' },
      { name: 'platform', type: 'string', help: 'Set platform if server is multi-platform capable' },
    ],
  },
  async run({ client, flags, args: [from = '', reference = ''] }) {
    const remote = /^https?:\/\//.test(from);
    const { repository, tag } = splitTag(reference);
    const query = {
      fromSrc: remote ? from : '-', repo: repository || undefined, tag: tag || undefined, message: flags.text('message') || undefined,
      changes: flags.list('change'), platform: flags.text('platform') || undefined,
    };
    const { body } = await client.open(
      'POST', '/images/create', remote ? { query } : { query, body: { stream: source(from, 'import'), type: 'application/x-tar' } },
    );
    await showProgress(body, { quiet: false, output: 1 });
    return 0;
  },
};

/** `isula rmi` in the guide's words (1.3.6.1.4). */
export const rmi: Command = {
  spec: {
    name: 'rmi', usage: '[OPTIONS] IMAGE [IMAGE...]', summary: 'Remove one or more images', args: { min: 1, max: many }, completes: 'images',
    flags: [
      { name: 'force', short: 'f', type: 'bool', help: 'Force removal of the image' },
      { name: 'no-prune', type: 'bool', help: 'Do not delete untagged parents' },
    ],
  },
  run: ({ client, flags, args }) =>
    forEachArgument(args, async (image) => {
      await client.json('DELETE', `/images/${segment(image)}`, { query: { force: flags.bool('force'), noprune: flags.bool('no-prune') } });
      return `Image "${image}" removed`;
    }),
};

export const tag: Command = {
  spec: {
    name: 'tag', usage: '[OPTIONS] SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]', summary: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE',
    args: { min: 2, max: 2 },
    completes: 'images', flags: [{ name: 'force', short: 'f', type: 'bool', hidden: true, help: 'Replace an existing tag (always so)' }],
  },
  async run({ client, args: [from = '', to = ''] }) {
    const { repository, tag: name } = splitTag(to);
    await client.json('POST', `/images/${segment(from)}/tag`, { query: { repo: repository, tag: name || undefined } });
    return 0;
  },
};
