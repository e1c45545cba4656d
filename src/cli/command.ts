import { EngineError } from '../base/index.ts';
import type { ApiClient } from '../client/index.ts';
import type { CommandSpec, FlagValues } from './flags/index.ts';
import { UsageError } from './flags/index.ts';
import { print, printError } from './terminal/output.ts';

/** What a command is given. */
export interface Context {
  readonly client: ApiClient;
  readonly flags: FlagValues;
  readonly args: readonly string[];
  /** The command's name, for its messages. */
  readonly name: string;
}

export interface Command {
  readonly spec: CommandSpec;
  /** @returns the exit status. Throws for failures that `main` reports. */
  run(context: Context): Promise<number>;
}

/** A failure with an exit status of its own; the message is printed as it is. */
export class ExitError extends Error {
  override readonly name = 'ExitError';
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

/** How a failure is shown: the daemon's own words marked as such, like docker. */
export function describeFailure(error: unknown): string {
  if (error instanceof EngineError && 'status' in error) return `Error response from daemon: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}

/** So many of a list's targets are worked on at once. */
const parallelMax = 16;

/**
 * Does the same for every argument, several at once; what succeeds is printed in the order given, failures go to
 * standard error. @returns 1 when any failed.
 */
export async function forEachArgument(args: readonly string[], work: (argument: string) => Promise<string | undefined>): Promise<number> {
  let status = 0;
  for (let from = 0; from < args.length; from += parallelMax) {
    const settled = await Promise.allSettled(args.slice(from, from + parallelMax).map((argument) => work(argument)));
    for (const result of settled) {
      if (result.status === 'fulfilled') {
        if (result.value !== undefined) print(`${result.value}\n`);
      } else {
        printError(`${describeFailure(result.reason)}\n`);
        status = 1;
      }
    }
  }
  return status;
}

/**
 * Docker's filter parameter from `-f name=value` flags: a JSON map of lists; undefined when there are none.
 * @throws UsageError.
 */
export function filterQuery(filters: readonly string[], also: readonly (readonly [name: string, value: string])[] = []): string | undefined {
  const map = new Map<string, string[]>();
  const add = (name: string, value: string): void => {
    map.set(name, [...map.get(name) ?? [], value]);
  };
  for (const filter of filters) {
    const equals = filter.indexOf('=');
    if (equals <= 0) throw new UsageError(`invalid argument "${filter}" for "-f, --filter" flag: bad format of filter (expected name=value)`);
    add(filter.slice(0, equals).trim().toLowerCase(), filter.slice(equals + 1).trim());
  }
  for (const [name, value] of also) add(name, value);
  return map.size === 0 ? undefined : JSON.stringify(Object.fromEntries(map));
}

/** A reference as one segment of a path. */
export function segment(reference: string): string {
  // Image names keep their slashes: the daemon's routes take the rest of the path.
  return encodeURIComponent(reference).replaceAll('%2F', '/').replaceAll('%3A', ':').replaceAll('%40', '@');
}

/** A container's path. @throws UsageError for an empty reference. */
export function containerPath(reference: string, rest = ''): string {
  if (reference.trim() === '' || reference.includes('/')) throw new ExitError(1, `Error response from daemon: No such container: ${reference}`);
  return `/containers/${segment(reference)}${rest}`;
}
