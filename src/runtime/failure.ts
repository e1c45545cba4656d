import { EngineError, type ErrorCode } from '../base/index.ts';

/** Exit status of a command that cannot be executed, and of one that is not there (docker run). */
export const exitNotExecutable = 126;
export const exitNotFound = 127;

const messageLimit = 2000;

/** What we know of a command whose start failed. */
export interface FailedCommand {
  action: 'create' | 'exec' | 'start';
  args: readonly string[];
  cwd: string;
}

/**
 * Turns what crun or runc wrote into an error with docker's words, which its command line looks for to choose the exit status.
 */
export function runtimeFailure(text: string, command: FailedCommand): EngineError {
  const lines = messageLines(text);
  // What a hook wrote stands before the runtime's own word on it.
  const detail = (/hook/.test(lines.at(-1) ?? '') ? lines.join('; ') : (lines.at(-1) ?? '')).slice(0, messageLimit);
  const program = command.args[0] ?? '';
  const make = (what: string, code: ErrorCode, exitCode?: number): EngineError => (
    new EngineError(code, `OCI runtime ${command.action} failed: ${what}`, exitCode === undefined ? undefined : { exitCode })
  );
  if (/cpu\.rt_(?:runtime|period)_us/.test(detail)) {
    return make(`${detail}: the parent cgroup grants less real-time CPU time (see its cpu.rt_runtime_us)`, 'invalidArgument');
  }
  if (/executable file .*not found in \$PATH/.test(detail)) {
    if (program.includes('/')) return make(`exec: "${program}": stat ${program}: no such file or directory`, 'invalidArgument', exitNotFound);
    return make(`exec: "${program}": executable file not found in $PATH`, 'invalidArgument', exitNotFound);
  }
  if (/exec: |open executable|exec `|starting container process|unable to start container process/.test(detail)) {
    // crun takes it for the directory itself.
    if (program === '') return make('exec: "": executable file not found in $PATH', 'invalidArgument', exitNotFound);
    if (/exec format error/i.test(detail)) return make(`exec ${program}: exec format error`, 'invalidArgument', exitNotExecutable);
    // crun's word for what is no regular file.
    if (/operation not permitted/i.test(detail)) {
      return make(`exec: "${program}": is a directory or no regular file: permission denied`, 'invalidArgument', exitNotExecutable);
    }
    if (/permission denied/i.test(detail)) return make(`exec: "${program}": permission denied`, 'invalidArgument', exitNotExecutable);
    if (/is a directory/i.test(detail)) return make(`exec: "${program}": is a directory: permission denied`, 'invalidArgument', exitNotExecutable);
  }
  if (/chdir|\bcwd\b/.test(detail) || detail.includes(`mkdir ${command.cwd}: `)) {
    const found = /no such file or directory|not a directory/i.exec(detail)?.[0].toLowerCase() ?? detail;
    const exitCode = found === 'no such file or directory' ? exitNotFound : exitNotExecutable;
    return make(`chdir to cwd ("${command.cwd}") set in config.json failed: ${found}`, 'invalidArgument', exitCode);
  }
  if (/is not running|is paused|cannot exec (in a )?(stopped|container)/.test(detail)) return make(detail, 'conflict');
  if (/no such file or directory/i.test(detail) && /exec/.test(detail)) {
    return make(`exec: "${program}": no such file or directory`, 'invalidArgument', exitNotFound);
  }
  return make(detail === '' ? 'the runtime gave no reason' : detail, 'internal', command.action === 'exec' ? exitNotExecutable : undefined);
}

/** runc's log lines: `time="…" level=error msg="…"`; crun's are bare. The last one says what failed. */
function messageLines(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim()).filter((line) => line !== '' && !/level=(warning|info|debug)/.test(line));
  return lines.map((line) => /level=\w+ msg="((?:[^"\\]|\\.)*)"/.exec(line)?.[1]?.replace(/\\n/g, ' ').replace(/\\(.)/g, '$1').trim() ?? line);
}
