export { VolumeService, type VolumeHooks } from './service.ts';
export type * from './types.ts';
