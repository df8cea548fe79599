// Servers under test: the program that people start, on a free port, with data of its own.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const program = process.env.PARTYLINE_PROGRAM ?? join(root, 'target/debug/partyline');
const logs = join(root, 'target/test-logs');

const startDeadlineMs = 30_000;

export async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  listener.close();
  await once(listener, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

export class Server {
  private process: ChildProcess | undefined;
  private output = '';

  private constructor(
    readonly name: string,
    readonly port: number,
    private readonly settings: Record<string, string>,
    private readonly dispose: () => void,
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    if (this.process?.pid === undefined) throw new Error(`${this.name} does not run`);
    return this.process.pid;
  }

  /** One process, files in a temporary folder. */
  static async embedded(settings: Record<string, string> = {}): Promise<Server> {
    const data = mkdtempSync(join(tmpdir(), 'partyline-e2e-'));
    const dispose = () => rmSync(data, { recursive: true, force: true });
    return new Server('embedded', await freePort(), { PARTYLINE_DATA_DIR: data, ...settings }, dispose).start();
  }

  /** One node of a cluster; `settings` name the services. */
  static async node(name: string, settings: Record<string, string>, port?: number): Promise<Server> {
    return new Server(name, port ?? (await freePort()), settings, () => {}).start();
  }

  /** What it has written so far that fits. */
  printed(pattern: RegExp): string | undefined {
    return pattern.exec(this.output)?.[0];
  }

  /** Makes somebody an administrator. Sessions that were used just before learn of it within 10 s. */
  makeAdmin(username: string): void {
    const env = { PATH: process.env.PATH ?? '', ...this.settings };
    execFileSync(program, ['admin', 'make-admin', username], { cwd: root, env, timeout: 30_000 });
  }

  /** Starts it, again on the same port and data if it ran before. */
  async start(): Promise<Server> {
    const { PATH, HOME, TMPDIR, RUST_LOG, RUST_BACKTRACE } = process.env;
    const child = spawn(program, ['serve'], {
      cwd: root,
      env: {
        ...Object.fromEntries(
          Object.entries({ PATH, HOME, TMPDIR, RUST_LOG, RUST_BACKTRACE }).filter(([, value]) => value !== undefined),
        ),
        LEPTOS_SITE_ROOT: join(root, 'target/site'),
        PARTYLINE_LISTEN: `127.0.0.1:${this.port}`,
        ...this.settings,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.process = child;
    mkdirSync(logs, { recursive: true });
    const keep = (text: Buffer) => {
      this.output = (this.output + text).slice(-10_000);
      appendFileSync(join(logs, `browser-tests-${this.name}.log`), text);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const failed = new Promise<never>((_, reject) => {
      child.once('error', (cause) => reject(new Error(`${program} cannot be started`, { cause })));
      child.once('exit', (code, signal) => reject(new Error(`${this.name} ended with ${code ?? signal}\n${this.output}`)));
    });
    failed.catch(() => {}); // It ends at some time; only while it starts this is news.
    await Promise.race([failed, this.ready()]);
    return this;
  }

  private async ready(): Promise<void> {
    const deadline = Date.now() + startDeadlineMs;
    while (Date.now() < deadline) {
      const answer = await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
      if (answer?.ok) return;
      await new Promise((again) => setTimeout(again, 50));
    }
    throw new Error(`${this.name} was not ready after ${startDeadlineMs} ms\n${this.output}`);
  }

  /** Ends the process as it stands, as a power cut for the process would. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** Asks it to end, and takes its data away. */
  async stop(): Promise<void> {
    await this.end('SIGTERM');
    this.dispose();
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    const late = setTimeout(() => child.kill('SIGKILL'), 20_000);
    await gone;
    clearTimeout(late);
  }
}

export interface Cluster {
  /** What all its nodes have in common. */
  settings: Record<string, string>;
  /** Runs a statement in its database, past the nodes. */
  sql: (statement: string, values?: unknown[]) => Promise<void>;
  dispose: () => Promise<void>;
}

/** A new, empty cluster. */
export async function newCluster(): Promise<Cluster> {
  const given = (name: string): string => {
    const value = process.env[name];
    if (!value) throw new Error(`${name} is not set: run through \`make test\`, or eval "$(end2end/services env)" first`);
    return value;
  };
  const databaseUrl = new URL(given('PARTYLINE_TEST_DATABASE_URL'));
  const name = `e2e_${randomBytes(6).toString('hex')}`;
  const { default: pg } = await import('pg');
  const run = async (url: URL, statement: string, values?: unknown[]) => {
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    await client.query(statement, values).finally(() => client.end());
  };
  await run(databaseUrl, `create database ${name}`);
  const own = new URL(databaseUrl);
  own.pathname = `/${name}`;
  return {
    settings: {
      KAFKA_BROKERS: given('PARTYLINE_TEST_KAFKA_BROKERS'),
      REDIS_URL: given('PARTYLINE_TEST_REDIS_URL'),
      DATABASE_URL: own.href,
      JWT_SECRET: randomBytes(32).toString('hex'),
      PARTYLINE_NAMESPACE: name,
    },
    sql: (statement, values) => run(own, statement, values),
    dispose: () => run(databaseUrl, `drop database if exists ${name} with (force)`),
  };
}
