export { decompress, detectCompression, gzipped, type Compression, type DecompressOptions } from './compression.ts';
export { extractLayer, type ExtractLimits, type ExtractOptions, type ExtractResult } from './extract.ts';
export { packLayer, packTree, type PackOptions } from './pack.ts';
export { diffTree, type TreeChange } from './diff.ts';
export { bareMountPoints } from './mount-points.ts';
export { ContainerFs, type ContainerFsOptions, type PutOptions } from './container-fs.ts';
export type { PathStat } from './path-stat.ts';
export type { RootMount } from './root-path.ts';
