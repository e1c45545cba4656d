export { SyscallError, type PathArg } from './libc.ts';
export * from './flock.ts';
export * from './mount.ts';
export * from './openat2.ts';
export * from './pidfd.ts';
export * from './process.ts';
