import { EngineError } from '../base/index.ts';

/** What the guide's and docker's `top` show by themselves. */
const defaultPsArgs = '-ef';
const psArgsMax = 1024;
const psTimeoutMs = 10_000;
/** Of what ps prints. */
const psOutputMax = 16 * 1024 * 1024;

export interface PsResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the host's ps. @throws unavailable when there is none. */
async function runPs(args: readonly string[]): Promise<PsResult> {
  const path = Bun.which('ps');
  if (path === null) throw new EngineError('unavailable', 'Cannot list the processes: the host has no ps (package procps)');
  const child = Bun.spawn([path, ...args], {
    stdin: 'ignore', stdout: 'pipe', stderr: 'pipe', timeout: psTimeoutMs, killSignal: 'SIGKILL', maxBuffer: psOutputMax,
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', COLUMNS: '4096' },
  });
  const [stdout, stderr, exitCode] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { exitCode, stdout, stderr };
}

function fields(line: string): string[] {
  return line.split(/[ \t\r\n\f\v]+/).filter((field) => field !== '');
}

/** @throws invalidArgument for `-o pid=x`: the column by which processes are told apart would have another name. */
function checkPsArgs(args: string): void {
  if (args.length > psArgsMax) throw new EngineError('invalidArgument', `Invalid ps arguments: longer than ${psArgsMax} characters`);
  if (args.includes('\0')) throw new EngineError('invalidArgument', 'Invalid ps arguments: a NUL character');
  for (const [, name = '', value = ''] of args.matchAll(/\s+(\S*)=\s*(PID\S*)/g)) {
    if (name.toLowerCase() !== 'pid') throw new EngineError('invalidArgument', `specifying "${name}=${value}" is not allowed`);
  }
}

/**
 * The rows of ps that belong to a container (moby: ContainerTopResponse).
 * @throws invalidArgument with docker's words when the output has no PID column
 */
export function parsePs(output: string, pids: ReadonlySet<number>): { Titles: string[]; Processes: string[][] } {
  const [first = '', ...lines] = output.split('\n');
  const titles = fields(first);
  const pidColumn = titles.indexOf('PID');
  if (pidColumn < 0) throw new EngineError('invalidArgument', "Couldn't find PID field in ps output");
  const processes: string[][] = [];
  let isOurs = false;
  for (const line of lines) {
    const values = fields(line);
    if (values.length === 0) continue;
    const text = values[pidColumn] ?? '';
    // ps -m puts the threads of a process below it, with "-" for the pid.
    if (text !== '-') {
      const pid = Number(text);
      if (text === '' || !Number.isInteger(pid)) throw new EngineError('internal', `Unexpected pid '${text}' in ps output`);
      isOurs = pids.has(pid);
    }
    // The last column may hold blanks.
    if (isOurs) processes.push([...values.slice(0, titles.length - 1), values.slice(titles.length - 1).join(' ')]);
  }
  return { Titles: titles, Processes: processes };
}

/** GET /containers/{id}/top: the host's ps with the user's options, only the container's processes. */
export async function topOf(
  pids: readonly number[], psArgs: string, ps: (args: readonly string[]) => Promise<PsResult> = runPs,
): Promise<{ Titles: string[]; Processes: string[][] }> {
  const args = fields(psArgs === '' ? defaultPsArgs : psArgs);
  checkPsArgs(` ${args.join(' ')}`);
  const ours = new Set(pids);
  // Naming the processes spares ps the rest of the host; with some options it refuses that.
  const named = await ps([...args, `-q${[...ours].join(',')}`]);
  const result = named.exitCode === 0 ? named : await ps(args);
  if (result.exitCode !== 0) {
    const reason = result.stderr.split('\n', 1)[0]?.slice(0, 200) ?? '';
    throw new EngineError('invalidArgument', `error running ps: ${reason === '' ? `exit status ${result.exitCode}` : reason}`);
  }
  return parsePs(result.stdout, ours);
}
