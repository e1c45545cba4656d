import { buildCommit, buildVersion, isEngineError } from '../../base/index.ts';
import { at, textAt } from '../../client/index.ts';
import { type Command, ExitError } from '../command.ts';
import { print } from '../terminal/output.ts';

const apiVersion = '1.47';
/** As in the server's part. */
const arch = process.arch === 'x64' ? 'amd64' : process.arch;

function clientFacts(): Record<string, string> {
  return {
    Version: buildVersion, APIVersion: apiVersion, ApiVersion: apiVersion, GitCommit: buildCommit, BunVersion: Bun.version, Os: process.platform,
    Arch: arch,
  };
}

/** `isula version` (guide 1.3.8.1): the client's part is shown also when the daemon is not there. */
export const version: Command = {
  spec: {
    name: 'version', usage: '[OPTIONS]', summary: 'Show the version information', args: { min: 0, max: 0 },
    flags: [{ name: 'format', short: 'f', type: 'string', help: "Format output: 'json' or a Go template" }],
  },
  async run({ client, flags }) {
    const format = flags.text('format');
    const facts = clientFacts();
    let server: unknown;
    let failure: unknown;
    try {
      server = await client.json('GET', '/version');
    } catch (error) {
      failure = error;
    }
    if (format !== '') {
      const data = { Client: facts, Server: server ?? null };
      if (format === 'json') print(`${JSON.stringify(data)}\n`);
      else print(`${(await import('../template/index.ts')).compileTemplate(format, { escapes: true }).run(data)}\n`);
    } else {
      const rows = lines([
        ['Version', facts['Version']], ['API version', apiVersion], ['Git commit', facts['GitCommit']],
        ['OS/Arch', `${facts['Os']}/${facts['Arch']}`],
      ]);
      print(`Client:\n${rows}\n`);
      if (failure === undefined) print(serverText(server));
    }
    if (failure === undefined) return 0;
    throw isEngineError(failure) ? new ExitError(1, failure.message) : failure;
  },
};

function lines(rows: readonly (readonly [string, string | undefined])[]): string {
  const known = rows.filter(([, value]) => value !== undefined && value !== '');
  return known.map(([name, value]) => `  ${`${name}:`.padEnd(18)}${value ?? ''}\n`).join('');
}

function serverText(server: unknown): string {
  const components = at(server, 'Components');
  const parts = Array.isArray(components) ? components : [];
  const text = `Server:\n${lines([
    ['Version', textAt(server, 'Version')], ['API version', `${textAt(server, 'ApiVersion')} (minimum version ${textAt(server, 'MinAPIVersion')})`],
    ['Git commit', textAt(server, 'GitCommit')], ['Built', textAt(server, 'BuildTime')],
    ['OS/Arch', `${textAt(server, 'Os')}/${textAt(server, 'Arch')}`],
    ['Kernel', textAt(server, 'KernelVersion')],
  ])}`;
  // The first component is the engine itself, shown above.
  const others = parts.slice(1).map((part) => lines([[textAt(part, 'Name'), textAt(part, 'Version')]])).join('');
  const oci = textAt(server, 'OCIVersion');
  const file = textAt(server, 'OCIDefaultFile');
  const config = oci === '' ? '' : `\nOCI config:\n${lines([['Version', oci], ['Default file', file]])}`;
  return `${text}${others === '' ? '' : `\nComponents:\n${others}`}${config}`;
}
