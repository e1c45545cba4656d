import { existsSync } from 'node:fs';
import { buildCommit, buildVersion } from '../base/index.ts';
import { ApiClient, type Endpoint, defaultHost, parseEndpoint, type TlsOptions } from '../client/index.ts';
import { type Command, describeFailure, ExitError } from './command.ts';
import { groups, findCommand } from './commands/index.ts';
import { checkArgs, commonFlags, type CommandSpec, type Flag, FlagValues, parseFlags, type Parsed, UsageError } from './flags/index.ts';
import { print, printError } from './terminal/output.ts';

const rootSpec: CommandSpec = {
  name: '', usage: '[OPTIONS] COMMAND', summary: 'A light container engine', interspersed: false, args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: [{ name: 'version', short: 'v', type: 'bool', help: 'Print version information and quit' }],
};

/**
 * `isula`: reads the command line, runs the command, prints what fails.
 * @param argv the arguments after the program's name
 * @returns the exit status (docker's conventions: 125 for a command line that cannot be read)
 */
export async function main(argv: readonly string[]): Promise<number> {
  const status = await runCommandLine(argv);
  // A read of standard input may still be waiting in its thread: everything is written, so leave.
  process.exit(status);
}

async function runCommandLine(argv: readonly string[]): Promise<number> {
  let hint = 'isula';
  let debug = false;
  try {
    const rootFlags = [...rootSpec.flags, ...commonFlags];
    const root = parseFlags(rootSpec, rootFlags, argv);
    const rootValues = new FlagValues(rootFlags, root);
    debug = rootValues.bool('debug');
    if (rootValues.bool('version')) {
      print(`isula version ${buildVersion}, build ${buildCommit}\n`);
      return 0;
    }
    const words = root.args[0] === 'help' ? [...root.args.slice(1, 3), '--help'] : root.args;
    if (words.length === 0 || words[0] === '--help' || rootValues.bool('help')) return await showHelp(words.filter((word) => word !== '--help'));
    const found = await findCommand(words);
    if (found === undefined) return await unknownCommand(words);
    hint = `isula ${found.name}`;
    const { command, rest } = found;
    // `spec.name` is the canonical one; messages name what was typed.
    const spec = { ...command.spec, name: found.name };
    const flags = [...spec.flags, ...commonFlags];
    const parsed = parseFlags(spec, flags, rest);
    const all = merged(parsed, root);
    const values = new FlagValues(flags, all);
    debug ||= values.bool('debug');
    if (values.bool('help')) {
      const { commandHelp } = await import('./flags/help.ts');
      print(commandHelp(spec, ownFlags(command)));
      return 0;
    }
    checkCount(spec, parsed.args.length);
    const client = new ApiClient(endpointOf(values));
    try {
      return await command.run({ client, flags: values, args: parsed.args, name: found.name });
    } finally {
      client.close();
    }
  } catch (error) {
    if (debug && error instanceof Error) printError(`${error.stack ?? ''}\n${error.cause === undefined ? '' : `cause: ${String(error.cause)}\n`}`);
    return report(error, hint);
  }
}

function report(error: unknown, hint: string): number {
  if (error instanceof UsageError) {
    printError(`${error.message}\nSee '${hint} --help'.\n`);
    return error.exitCode;
  }
  if (error instanceof ExitError) {
    if (error.message !== '') printError(`${error.message}\n`);
    return error.status;
  }
  printError(`${describeFailure(error)}\n`);
  return 1;
}

function checkCount(spec: CommandSpec, count: number): void {
  try {
    checkArgs(spec, count);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new ExitError(
      error.exitCode, `${error.message}\nSee 'isula ${spec.name} --help'.\n\nUsage:  isula ${spec.name} ${spec.usage}\n\n${spec.summary}`,
    );
  }
}

/** Common flags may stand before the command's name; those after it win. */
function merged(parsed: Parsed, root: Parsed): Parsed {
  return { args: parsed.args, values: new Map([...root.values, ...parsed.values]) };
}

/** A command's flags and the common ones that it does not hide. */
export function ownFlags(command: Command): Flag[] {
  const own = command.spec.flags;
  const taken = new Set(own.map((flag) => flag.short));
  return [
    ...own, ...commonFlags.map((flag) => (flag.short !== undefined && taken.has(flag.short) ? { ...flag, short: '' } : flag)).map(withoutEmptyShort),
  ];
}

function withoutEmptyShort(flag: Flag): Flag {
  if (flag.short !== '') return flag;
  const { short: _, ...rest } = flag;
  return rest;
}

/** Flags first, then ISULAD_HOST and ISULAD_TLS_VERIFY; certificates of `~/.iSulad` where none are named (guide 2.3.11.2). */
function endpointOf(values: FlagValues): Endpoint {
  const given = (name: string): string | undefined => (values.text(name) === '' ? undefined : values.text(name));
  const verify = values.bool('tlsverify') || (!values.has('tlsverify') && /^(?:1|true)$/i.test(process.env['ISULAD_TLS_VERIFY'] ?? ''));
  const host = given('host') ?? (process.env['ISULAD_HOST'] || defaultHost);
  if (host.startsWith('unix://')) {
    if (values.bool('tls') || values.bool('tlsverify')) throw new UsageError('TLS needs a tcp:// host');
    return parseEndpoint(host, undefined);
  }
  if (!verify && !values.bool('tls')) {
    if ((given('tlscacert') ?? given('tlscert') ?? given('tlskey')) !== undefined) {
      throw new UsageError('--tlscacert, --tlscert and --tlskey need --tls or --tlsverify');
    }
    return parseEndpoint(withScheme(host), undefined);
  }
  const home = (name: string): string | undefined => {
    const path = `${process.env['HOME'] ?? ''}/.iSulad/${name}`;
    return existsSync(path) ? path : undefined;
  };
  const [certPath, keyPath] = given('tlscert') === undefined && given('tlskey') === undefined ? [home('cert.pem'),
  home('key.pem')] : [given('tlscert'), given('tlskey')];
  if ((certPath === undefined) !== (keyPath === undefined)) throw new UsageError('--tlscert and --tlskey go together');
  const caPath = given('tlscacert') ?? home('ca.pem');
  if (verify && caPath === undefined) throw new UsageError('--tlsverify needs --tlscacert, or ~/.iSulad/ca.pem');
  const tls: TlsOptions = { verify, caPath, certPath, keyPath };
  return parseEndpoint(withScheme(host), tls);
}

/** The guide writes ISULAD_HOST=localhost:2375. */
function withScheme(host: string): string {
  return host.includes('://') ? host : `tcp://${host}`;
}

async function showHelp(words: readonly string[]): Promise<number> {
  const { rootHelp, groupHelpOf } = await import('./commands/help.ts');
  const first = words[0];
  if (first === undefined) print(rootHelp(rootSpec));
  else if (groups.has(first)) print(groupHelpOf(first));
  else return await runCommandLine([...words, '--help']);
  return 0;
}

async function unknownCommand(words: readonly string[]): Promise<number> {
  const [first = '', second = ''] = words;
  if (groups.has(first)) {
    if (second === '' || second === '--help' || second === '-h') return await showHelp([first]);
    printError(`isula: '${first} ${second}' is not an isula command.\nSee 'isula ${first} --help'\n`);
    return 1;
  }
  printError(`isula: '${first}' is not an isula command.\nSee 'isula --help'\n`);
  return 1;
}
