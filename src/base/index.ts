export * from './errors.ts';
export * from './files.ts';
export * from './ids.ts';
export * from './lane.ts';
export * from './log.ts';
export type * from './streams.ts';
