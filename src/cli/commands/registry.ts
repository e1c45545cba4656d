import { isEngineError, messageOf } from '../../base/index.ts';
import { flagAt, numberAt, textAt } from '../../client/index.ts';
import { type Command, ExitError, filterQuery, segment } from '../command.ts';
import { printList } from '../format/list.ts';
import { ellipsis } from '../format/table.ts';
import { pullImage } from '../pull-image.ts';
import { showProgress } from '../progress.ts';
import { splitTag } from '../reference.ts';
import { byteReader, readStdin } from '../terminal/input.ts';
import { print, printError } from '../terminal/output.ts';
import { isTerminal } from '../terminal/terminal.ts';

/** A password is not longer. */
const passwordLimitBytes = 64 * 1024;
const defaultServer = 'https://index.docker.io/v1/';

/** `isula pull` (guide 1.3.6.1.3, table 1-23; docker's 4.5.3.8). */
export const pull: Command = {
  spec: {
    name: 'pull', usage: '[OPTIONS] NAME[:TAG|@DIGEST]', summary: 'Download an image from a registry', args: { min: 1, max: 1 }, completes: 'images',
    flags: [
      { name: 'all-tags', short: 'a', type: 'bool', help: 'Download all tagged images in the repository' },
      { name: 'platform', type: 'string', help: 'Set platform if server is multi-platform capable' },
      { name: 'quiet', short: 'q', type: 'bool', help: 'Suppress verbose output' },
    ],
  },
  async run({ client, flags, args: [reference = ''] }) {
    const all = flags.bool('all-tags');
    if (all && (splitTag(reference).tag !== '' || reference.includes('@'))) throw new ExitError(1, "tag can't be used with --all-tags/-a");
    await pullImage(client, { reference, all, platform: flags.text('platform'), quiet: flags.bool('quiet'), output: 1 });
    return 0;
  },
};

export const push: Command = {
  spec: {
    name: 'push', usage: '[OPTIONS] NAME[:TAG]', summary: 'Upload an image to a registry', args: { min: 1, max: 1 }, completes: 'images',
    flags: [
      { name: 'all-tags', short: 'a', type: 'bool', help: 'Push all tags of an image to the repository' },
      { name: 'quiet', short: 'q', type: 'bool', help: 'Suppress verbose output' },
    ],
  },
  async run({ client, flags, args: [reference = ''] }) {
    const { repository, tag } = splitTag(reference);
    const all = flags.bool('all-tags');
    if (all && tag !== '') throw new ExitError(1, "tag can't be used with --all-tags/-a");
    const quiet = flags.bool('quiet');
    if (!quiet && !all && tag === '') print('Using default tag: latest\n');
    // Docker's API wants the header; the daemon has the credentials of `isula login`.
    const headers = { 'X-Registry-Auth': Buffer.from('{}').toString('base64url') };
    const { body } = await client.open('POST', `/images/${segment(repository)}/push`, { query: { tag: all ? undefined : tag || 'latest' }, headers });
    await showProgress(body, { quiet, output: 1 });
    if (quiet) print(`${reference}\n`);
    return 0;
  },
};

/** `isula login` (guide 1.3.6.1.1, table 1-21). The daemon verifies and keeps the credentials, encrypted. */
export const login: Command = {
  spec: {
    name: 'login', usage: '[OPTIONS] [SERVER]', summary: 'Authenticate to a registry', args: { min: 0, max: 1 },
    flags: [
      { name: 'password', short: 'p', type: 'string', help: 'Password' },
      { name: 'password-stdin', type: 'bool', help: 'Take the password from stdin' },
      { name: 'username', short: 'u', type: 'string', help: 'Username' },
    ],
  },
  async run({ client, flags, args: [server = defaultServer] }) {
    if (flags.bool('password-stdin') && flags.has('password')) throw new ExitError(1, '--password and --password-stdin are mutually exclusive');
    if (flags.bool('password-stdin') && flags.text('username') === '') throw new ExitError(1, 'Must provide --username with --password-stdin');
    if (flags.has('password')) printError('WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n');
    const username = flags.text('username') || (await ask('Username: ', false));
    const password = flags.bool('password-stdin') ? await passwordFromStdin() : flags.text('password') || (await ask('Password: ', true));
    if (username === '') throw new ExitError(1, 'username is empty');
    if (password === '') throw new ExitError(1, 'password is empty');
    await client.json('POST', '/auth', { query: { keep: true }, body: { json: { username, password, serveraddress: server } } });
    print('Login Succeeded\n');
    return 0;
  },
};

async function passwordFromStdin(): Promise<string> {
  try {
    return (await readStdin(passwordLimitBytes)).replace(/\r?\n$/, '');
  } catch (error) {
    throw new ExitError(1, `Cannot read the password: ${messageOf(error)}`);
  }
}

async function ask(question: string, secret: boolean): Promise<string> {
  if (!isTerminal(0)) throw new ExitError(1, 'Cannot perform an interactive login from a non TTY device');
  const { muteTerminal } = await import('../../linux/index.ts');
  // Before the question: what is typed at once must not be shown either.
  const restore = secret ? muteTerminal(0) : undefined;
  if (restore !== undefined) process.once('exit', restore);
  const { exitOnSignals } = await import('../session/signals.ts');
  using _signals = exitOnSignals();
  try {
    printError(question);
    // The terminal hands over whole lines.
    const line = await byteReader(0)();
    return new TextDecoder().decode(line ?? new Uint8Array(0)).replace(/\r?\n$/, '');
  } finally {
    restore?.();
    if (secret) printError('\n');
  }
}

export const logout: Command = {
  spec: { name: 'logout', usage: '[SERVER]', summary: 'Log out from a registry', args: { min: 0, max: 1 }, flags: [] },
  async run({ client, args: [server = defaultServer] }) {
    // An extension of the API: Docker's command line keeps credentials itself.
    await client.json('POST', '/logout', { query: { server } }).catch((error: unknown) => {
      if (!isEngineError(error, 'notFound')) throw error;
      throw new ExitError(1, `Not logged in to ${server}`);
    });
    print('Logout Succeeded\n');
    return 0;
  },
};

export const search: Command = {
  spec: {
    name: 'search', usage: '[OPTIONS] TERM', summary: 'Search a registry for images', args: { min: 1, max: 1 },
    flags: [
      { name: 'automated', type: 'bool', help: 'Show automated builds only', hidden: true },
      { name: 'filter', short: 'f', type: 'list', metavar: 'filter', help: 'Filter output based on conditions provided' },
      { name: 'format', type: 'string', help: "Format output: 'table', 'table TEMPLATE', 'json' or a Go template" },
      { name: 'limit', type: 'int', default: '0', help: 'Max number of search results' },
      { name: 'no-trunc', type: 'bool', help: "Don't truncate output" },
      { name: 'stars', short: 's', type: 'int', help: 'Only display with at least x stars', hidden: true },
    ],
  },
  async run({ client, flags, args: [term = ''] }) {
    const also: [string, string][] = [];
    if (flags.bool('automated')) also.push(['is-automated', 'true']);
    const stars = flags.int('stars');
    if (stars !== undefined) also.push(['stars', String(stars)]);
    const found = await client.json(
      'GET', '/images/search', { query: { term, limit: flags.int('limit') || undefined, filters: filterQuery(flags.list('filter'), also) } },
    );
    const list = (Array.isArray(found) ? found : []).toSorted((a, b) => numberAt(b, 'star_count') - numberAt(a, 'star_count'));
    const rows = list.map((row) => {
      const description = textAt(row, 'description').replace(/[\r\n]/g, ' ');
      return {
        Name: textAt(row, 'name'), Description: flags.bool('no-trunc') ? description : ellipsis(description, 45),
        StarCount: numberAt(row, 'star_count'),
        IsOfficial: flagAt(row, 'is_official') ? '[OK]' : '', IsAutomated: flagAt(row, 'is_automated') ? '[OK]' : '',
      };
    });
    const titles = { Name: 'NAME', Description: 'DESCRIPTION', StarCount: 'STARS', IsOfficial: 'OFFICIAL', IsAutomated: 'AUTOMATED' };
    await printList(
      { format: flags.text('format'), columns: ['Name', 'Description', 'StarCount', 'IsOfficial', 'IsAutomated'], titles, context: 'searchContext' },
      rows,
    );
    return 0;
  },
};
