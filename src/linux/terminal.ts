import { check, openLibc } from './libc.ts';

const libc = openLibc({
  tcgetattr: { args: ['i32', 'ptr'], returns: 'i32' },
  tcsetattr: { args: ['i32', 'i32', 'ptr'], returns: 'i32' },
  cfmakeraw: { args: ['ptr'], returns: 'void' },
});

/** struct termios of glibc and musl on Linux. */
const termiosBytes = 60;
const tcsaNow = 0;

/**
 * Puts a terminal into raw mode: every byte passes as it is, both ways. (Bun's setRawMode leaves output processing on, which
 * turns the container's CR LF into CR CR LF.) @returns a call that restores the mode found. @throws SyscallError.
 */
export function makeTerminalRaw(fd: number): () => void {
  const before = new Uint8Array(termiosBytes);
  check(libc.tcgetattr(fd, before), 'tcgetattr');
  const raw = before.slice();
  libc.cfmakeraw(raw);
  check(libc.tcsetattr(fd, tcsaNow, raw), 'tcsetattr');
  return () => {
    libc.tcsetattr(fd, tcsaNow, before);
  };
}

/** Turns echo off, for a password. @returns a call that restores the mode found. @throws SyscallError. */
export function muteTerminal(fd: number): () => void {
  const before = new Uint8Array(termiosBytes);
  check(libc.tcgetattr(fd, before), 'tcgetattr');
  const mute = before.slice();
  const flags = new DataView(mute.buffer);
  // c_lflag is the fourth word; ECHO is 8 on every Linux architecture but Alpha, MIPS and SPARC.
  flags.setUint32(12, flags.getUint32(12, true) & ~8, true);
  check(libc.tcsetattr(fd, tcsaNow, mute), 'tcsetattr');
  return () => {
    libc.tcsetattr(fd, tcsaNow, before);
  };
}
