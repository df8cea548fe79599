// The chat as other programs use it: /api/v1 with a bearer token.
import { randomBytes, randomUUID } from 'node:crypto';

export interface Account {
  username: string;
  displayName: string;
  password: string;
  token: string;
  /** The session's cookie as `name=value`, for a browser of this person's. */
  cookie: string;
}

export interface Room {
  id: string;
  slug: string;
  name: string;
}

export interface Message {
  id: string;
  at: string;
  body: string;
  author: { username: string; display_name: string };
}

/** Unlike any other text of this run. */
export const unique = (word: string): string => `${word}-${randomBytes(4).toString('hex')}`;

/** A message id as clients make it: UUIDv7, time first. */
export function messageId(): string {
  const time = Date.now().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

export class Api {
  constructor(readonly url: string) {}

  async call(method: string, path: string, token?: string, body?: unknown): Promise<Response> {
    const headers: Record<string, string> = {};
    if (token) headers.authorization = `Bearer ${token}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    return fetch(`${this.url}/api/v1${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(15_000),
    });
  }

  private async ok<T>(method: string, path: string, token?: string, body?: unknown): Promise<T> {
    return (await this.answered(method, path, token, body)).json() as Promise<T>;
  }

  /** Refusals for being too fast are waited out as they ask for. */
  private async answered(method: string, path: string, token?: string, body?: unknown): Promise<Response> {
    for (let tries = 0; ; tries++) {
      const answer = await this.call(method, path, token, body);
      if (answer.status === 429 && tries < 5) {
        const seconds = Number(answer.headers.get('retry-after') ?? 1);
        await new Promise((over) => setTimeout(over, seconds * 1000));
      } else if (answer.ok) {
        return answer;
      } else {
        throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
      }
    }
  }

  async register(displayName: string): Promise<Account> {
    const username = unique(displayName.toLowerCase());
    const password = randomBytes(12).toString('hex');
    const body = { username, password, display_name: displayName };
    const answer = await this.answered('POST', '/accounts', undefined, body);
    const { access_token } = (await answer.json()) as { access_token: string };
    const cookie = answer.headers.getSetCookie()[0]?.split(';')[0] ?? '';
    return { username, displayName, password, token: access_token, cookie };
  }

  async room(owner: Account, name = unique('room'), visibility = 'public'): Promise<Room> {
    const room = await this.ok<Room>('POST', '/rooms', owner.token, { name, visibility });
    await this.isMember(owner, room);
    return room;
  }

  async join(who: Account, room: Room): Promise<void> {
    await this.ok('PUT', `/rooms/${room.id}/members/me`, who.token);
    await this.isMember(who, room);
  }

  /** Until the store, which follows the log, knows the membership: on a busy machine that takes a moment. */
  private async isMember(who: Account, room: Room, deadlineMs = 10_000): Promise<void> {
    const deadline = Date.now() + deadlineMs;
    while (Date.now() < deadline) {
      const { role } = await this.ok<{ role: string | null }>('GET', `/rooms/${room.id}`, who.token);
      if (role) return;
      await new Promise((again) => setTimeout(again, 50));
    }
    throw new Error(`${who.username} is no member of ${room.slug} after ${deadlineMs} ms`);
  }

  post(who: Account, room: Room, body: string, id = messageId()): Promise<{ id: string; at: string }> {
    return this.ok('POST', `/rooms/${room.id}/messages`, who.token, { id, body });
  }

  /** Posts an answer to a message. */
  reply(who: Account, room: Room, to: string, body: string): Promise<{ id: string; at: string }> {
    return this.ok('POST', `/rooms/${room.id}/messages`, who.token, { id: messageId(), body, reply_to: to });
  }

  /** Posts until the server has acknowledged it, with the same id at each try. */
  async postUntilAcknowledged(who: Account, room: Room, body: string, deadlineMs = 45_000): Promise<void> {
    const id = messageId();
    const deadline = Date.now() + deadlineMs;
    while (Date.now() < deadline) {
      const answer = await this.call('POST', `/rooms/${room.id}/messages`, who.token, { id, body }).catch(() => undefined);
      if (answer?.ok) return;
      if (answer && answer.status < 500 && answer.status !== 429) throw new Error(`refused: ${answer.status} ${await answer.text()}`);
      await new Promise((again) => setTimeout(again, 100));
    }
    throw new Error(`${body} was not acknowledged in ${deadlineMs} ms`);
  }

  /** The newest messages, oldest first, as of `atLeast`. */
  async history(room: Room, who?: Account, atLeast?: string): Promise<Message[]> {
    const wait = atLeast ? `&at_least=${atLeast}` : '';
    const page = await this.ok<{ messages: Message[] }>('GET', `/rooms/${room.id}/messages?limit=200${wait}`, who?.token);
    return page.messages;
  }
}
