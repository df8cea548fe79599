// A TCP connection that can be cut: what stands between a node and a service when a network fails.
import { once } from 'node:events';
import { connect, createServer, type Server as Listener, type Socket } from 'node:net';

export class Proxy {
  private readonly open = new Set<Socket>();
  private away = false;

  private constructor(
    private readonly listener: Listener,
    readonly port: number,
    readonly farPort: number,
  ) {}

  /** Between a free port here and the service's address. */
  static async to(host: string, port: number): Promise<Proxy> {
    const listener = createServer().listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const address = listener.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const proxy = new Proxy(listener, address.port, port);
    listener.on('connection', (near) => {
      if (proxy.away) return near.destroy();
      const far = connect(port, host);
      for (const socket of [near, far]) {
        proxy.open.add(socket);
        socket.on('error', () => socket.destroy());
        socket.on('close', () => {
          proxy.open.delete(socket);
          near.destroy();
          far.destroy();
        });
      }
      near.pipe(far);
      far.pipe(near);
    });
    return proxy;
  }

  /** The service's address with this proxy in it. */
  url(service: string): string {
    const url = new URL(service);
    url.hostname = '127.0.0.1';
    url.port = String(this.port);
    return url.href;
  }

  /** Breaks what is open and refuses what comes. */
  cut(): void {
    this.away = true;
    for (const socket of this.open) socket.destroy();
  }

  /** Swallows what is said from now on over what is open, as a network does that tells nobody of an end. */
  hush(): void {
    for (const socket of this.open) socket.unpipe().resume();
  }

  heal(): void {
    this.away = false;
  }

  async close(): Promise<void> {
    this.cut();
    this.listener.close();
    await once(this.listener, 'close');
  }
}
