export { openOverlay2, type OpenOverlay2 } from './overlay2.ts';
export type * from './types.ts';
export { syncFileSystem } from './durable.ts';
export { treeSize } from './tree-size.ts';
