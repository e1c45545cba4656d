export { consoleAnnotations, logDetails, parseLogOptions, type LogSettings } from './options.ts';
export { readLogs } from './read.ts';
export { LogRotator } from './rotate.ts';
