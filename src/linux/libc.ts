import { dlopen, read, type FFIFunction } from 'bun:ffi';
import { constants } from 'node:os';

/**
 * The door to the C library. Every file of this folder binds what it needs by `openLibc`; binding costs some 25 us, so it
 * happens when the module loads. `syscall` stands for calls that older C libraries do not wrap; its numbers, where used, are
 * the ones above 400 that all 64-bit architectures share.
 */
export function openLibc<Fns extends Record<string, FFIFunction>>(symbols: Fns) {
  return dlopen('libc.so.6', symbols).symbols;
}

const libc = openLibc({
  __errno_location: { args: [], returns: 'ptr' },
  strerror: { args: ['i32'], returns: 'cstring' },
});

const errnoNames = new Map<number, string>(Object.entries(constants.errno).map(([name, value]) => [value, name]));

/** A system call failed. `code` is the errno's name, as in node's own errors. */
export class SyscallError extends Error {
  override readonly name = 'SyscallError';
  readonly code: string;

  constructor(readonly errno: number, readonly syscall: string, readonly path?: string) {
    super(`${syscall}${path === undefined ? '' : ` ${path}`}: ${String(libc.strerror(errno)).toLowerCase()}`);
    this.code = errnoNames.get(errno) ?? `E${errno}`;
  }
}

/** The calling thread's errno. Read it before anything else runs: the engine's own calls overwrite it. */
export function errno(): number {
  const location = libc.__errno_location();
  return location === null ? 0 : read.i32(location, 0);
}

/** A path or a name: text, or raw bytes where a file's name need not be UTF-8. */
export type PathArg = string | Uint8Array;

/** The bytes of a C string. @throws TypeError for a NUL inside, which would silently cut the text. */
export function cString(text: PathArg): Buffer {
  const size = typeof text === 'string' ? Buffer.byteLength(text) : text.length;
  const bytes = Buffer.alloc(size + 1);
  if (typeof text === 'string') bytes.write(text);
  else bytes.set(text);
  if (bytes.indexOf(0) !== size) throw new TypeError(`Cannot pass ${JSON.stringify(text)} to the kernel: it contains a NUL byte`);
  return bytes;
}

/** Gives a call's result, or throws the error that -1 stands for. */
export function check(result: number | bigint, syscall: string, path?: PathArg): number {
  if (result === -1 || result === -1n) {
    const number = errno();
    throw new SyscallError(number, syscall, path === undefined ? undefined : pathText(path));
  }
  return Number(result);
}

/** A path for messages. */
export function pathText(path: PathArg): string {
  return typeof path === 'string' ? path : Buffer.from(path).toString();
}
