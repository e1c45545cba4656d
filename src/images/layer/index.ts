export { compress, decompress, detectCompression, type Compression, type DecompressOptions } from './compression.ts';
export { extractLayer, type ExtractLimits, type ExtractOptions, type ExtractResult } from './extract.ts';
