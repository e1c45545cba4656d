import { isEngineError } from '../../base/index.ts';
import { type ApiClient, isObject, textAt, textsAt } from '../../client/index.ts';
import { type Command, containerPath, type Context, describeFailure, ExitError, segment } from '../command.ts';
import { type CommandSpec, type Flag, UsageError } from '../flags/index.ts';
import { print, printError } from '../terminal/output.ts';

type Kind = 'container' | 'image' | 'volume';

/** Guide table 1-12: the seconds that an inspect may take. */
const defaultTimeoutSeconds = '120';

const formatFlag: Flag = { name: 'format', short: 'f', type: 'string', help: "Format output: 'json' or a Go template" };
const timeFlag: Flag = {
  name: 'time', short: 't', type: 'int', default: defaultTimeoutSeconds, metavar: 'int',
  help: 'Seconds to wait for the answer before giving up; 0 or less: for ever',
};
const sizeFlag: Flag = { name: 'size', short: 's', type: 'bool', help: 'Display total file sizes if the type is container' };
const many = Number.POSITIVE_INFINITY;

function command(
  spec: Pick<CommandSpec, 'name' | 'usage' | 'summary' | 'flags' | 'completes'>, kinds: (context: Context) => readonly Kind[],
): Command {
  return { spec: { ...spec, args: { min: 1, max: many } }, run: (context) => inspectAll(context, kinds(context)) };
}

/** `isula inspect` (guide 1.3.1.10, table 1-27; docker's 4.5.2.8). */
export const inspect = command({
  name: 'inspect', usage: '[OPTIONS] CONTAINER|IMAGE [CONTAINER|IMAGE...]', summary: 'Return low-level information on containers, images or volumes',
  completes: 'containers-or-images',
  flags: [
    formatFlag, sizeFlag, timeFlag,
    { name: 'type', type: 'string', values: ['container', 'image', 'volume'], help: 'Only inspect objects of this type' },
  ],
}, ({ flags }) => {
  const type = flags.text('type');
  if (type === '') return ['container', 'image', 'volume'];
  if (type === 'container' || type === 'image' || type === 'volume') return [type];
  throw new UsageError(`"${type}" is not a valid value for --type`);
});

export const inspectContainer = command({
  name: 'container inspect', usage: '[OPTIONS] CONTAINER [CONTAINER...]', summary: 'Display detailed information on one or more containers',
  completes: 'containers', flags: [formatFlag, sizeFlag, timeFlag],
}, () => ['container']);

export const inspectImage = command({
  name: 'image inspect', usage: '[OPTIONS] IMAGE [IMAGE...]', summary: 'Display detailed information on one or more images',
  completes: 'images', flags: [formatFlag, timeFlag],
}, () => ['image']);

export const inspectVolume = command({
  name: 'volume inspect', usage: '[OPTIONS] VOLUME [VOLUME...]', summary: 'Display detailed information on one or more volumes',
  completes: 'volumes', flags: [formatFlag, timeFlag],
}, () => ['volume']);

async function inspectAll({ client, flags, args, name }: Context, kinds: readonly Kind[]): Promise<number> {
  const format = flags.text('format');
  const render = format === '' || format === 'json' ? undefined : await compile(format);
  const seconds = flags.int('time') ?? 0;
  const signal = seconds > 0 ? AbortSignal.timeout(seconds * 1000) : undefined;
  const size = kinds.includes('container') && !name.startsWith('image') && !name.startsWith('volume') && flags.bool('size');
  const found: unknown[] = [];
  let output = '';
  let status = 0;
  const failures: string[] = [];
  for (const reference of args) {
    try {
      const one = await find(client, reference, kinds, size, signal);
      if (render === undefined) found.push(one.value);
      else output += `${render(one.kind === 'image' ? withGuideNames(one.value) : one.value)}\n`;
    } catch (error) {
      if (signal?.aborted === true) throw new ExitError(1, `Cannot inspect ${reference}: no answer within ${seconds} seconds`);
      failures.push(describeInspectFailure(error));
      status = 1;
    }
  }
  if (render === undefined) output = format === 'json' ? `${JSON.stringify(found)}\n` : `${JSON.stringify(found, undefined, 4)}\n`;
  print(output);
  for (const failure of failures) printError(`${failure}\n`);
  return status;
}

function describeInspectFailure(error: unknown): string {
  return error instanceof ExitError ? error.message : describeFailure(error);
}

async function compile(format: string): Promise<(data: unknown) => string> {
  const { compileTemplate, TemplateError } = await import('../template/index.ts');
  const template = compileTemplate(format);
  return (data) => {
    try {
      return template.run(data);
    } catch (error) {
      throw error instanceof TemplateError ? new ExitError(1, `template parsing error: ${error.message}`) : error;
    }
  };
}

const paths: Readonly<Record<Kind, (reference: string) => string>> = {
  container: (reference) => containerPath(reference, '/json'),
  image: (reference) => `/images/${segment(reference)}/json`,
  volume: (reference) => `/volumes/${segment(reference)}`,
};

/** The first kind that knows the reference. @throws ExitError docker's `No such object`. */
async function find(
  client: ApiClient, reference: string, kinds: readonly Kind[], size: boolean, signal: AbortSignal | undefined,
): Promise<{ kind: Kind; value: unknown }> {
  const abort = signal === undefined ? {} : { signal };
  for (const kind of kinds) {
    // A name with a slash or a tag can only be an image's.
    if (kind !== 'image' && reference.includes('/')) continue;
    try {
      const value = await client.json('GET', paths[kind](reference), { query: { size: kind === 'container' && size }, ...abort });
      return { kind, value };
    } catch (error) {
      // A name may be none that an image or a volume can have; of a container it is a prefix of several ids.
      const notOfThisKind = isEngineError(error, 'notFound') || (isEngineError(error, 'invalidArgument') && kind !== 'container');
      if (!notOfThisKind || reference.trim() === '') throw error;
    }
  }
  const [only] = kinds;
  throw new ExitError(1, kinds.length > 1 || only === undefined ? `Error: No such object: ${reference}` : `Error: No such ${only}: ${reference}`);
}

/** The guide's own names for an image's fields: `{{json .image.id}}` (1.3.6.1.7) and `{{json .created}}` (1.3.6.2.3). */
function withGuideNames(image: unknown): unknown {
  if (!isObject(image)) return image;
  const created = textAt(image, 'Created');
  return {
    ...image, created,
    image: {
      id: textAt(image, 'Id').replace(/^sha256:/, ''), repo_tags: textsAt(image, 'RepoTags'), repo_digests: textsAt(image, 'RepoDigests'), created,
    },
  };
}
