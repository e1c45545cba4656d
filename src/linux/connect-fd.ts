import type { Socket, SocketHandler } from 'bun';

declare module 'bun' {
  /** Bun takes a connected socket's descriptor too; its types name the options (FdSocketOptions) but not this overload. */
  function connect<Data = undefined>(options: FdSocketOptions<Data> & { allowHalfOpen?: boolean }): Promise<Socket<Data>>;
}

/**
 * Puts a connected socket into the event loop, whatever its type: a SOCK_SEQPACKET socket's packets come one per `data` call
 * (Bun 1.4.5). The descriptor belongs to the socket from here on. Our side stays open when the peer half-closes.
 */
export function connectFd(fd: number, handler: SocketHandler<undefined>): Promise<Socket> {
  return Bun.connect({ fd, allowHalfOpen: true, socket: handler });
}
