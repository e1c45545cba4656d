import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, errnoOf } from '../base/index.ts';
import { bundleFiles } from './bundle.ts';

/**
 * conmon reads its control FIFOs with one read of 199 bytes and, of several lines in it, handles the first one several times
 * (2.1.x, read_from_ctrl_buffer). A message of exactly that size is therefore read alone.
 */
const controlMessageBytes = 199;
const reopenLogs = 2;
const sizeLimit = 65535;

function send(path: string, text: string): void {
  let fd: number;
  try {
    // Without O_NONBLOCK the open would wait for a reader, which a dead conmon never is.
    fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENXIO' || code === 'ENOENT') throw new EngineError('conflict', 'Cannot reach the process: it is not running', { cause: error });
    throw error;
  }
  try {
    writeSync(fd, `${text.padEnd(controlMessageBytes - 1)}\n`);
  } catch (error) {
    // The FIFO is full of earlier sizes that nobody has read yet: conmon hangs.
    if (errnoOf(error) === 'EAGAIN') throw new EngineError('unavailable', 'Cannot reach the process: its monitor does not answer', { cause: error });
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Sets the size of the terminal of the process whose conmon serves `directory`, in characters. */
export function sendWindowSize(directory: string, height: number, width: number): void {
  for (const value of [height, width]) {
    if (!Number.isInteger(value) || value < 0 || value > sizeLimit) {
      throw new EngineError('invalidArgument', `Cannot resize the terminal to ${height}x${width}: want whole numbers up to ${sizeLimit}`);
    }
  }
  send(join(directory, bundleFiles.windowSize), `${height} ${width}`);
}

export function sendReopenLog(directory: string): void {
  send(join(directory, bundleFiles.control), `${reopenLogs} 0 0`);
}
