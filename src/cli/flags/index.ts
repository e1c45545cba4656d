export * from './common.ts';
export * from './parse.ts';
export type * from './types.ts';
