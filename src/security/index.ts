export * from './capabilities.ts';
export * from './seccomp-default.ts';
export * from './seccomp-profile.ts';
export { lookupUser, type UserIdentity } from './user.ts';
export { readIdFiles, resolveUsernsRemap } from './userns-remap.ts';
