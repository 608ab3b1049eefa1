import { UsageError } from '../../../daemon/flags.ts';
import { describeError } from '../../../daemon/logger.ts';
import type { Incidents } from '../world/incidents.ts';
import type { ServerState } from '../world/servers.ts';
import type { Snapshot } from '../world/snapshot.ts';
import { json } from './answer.ts';
import type { Answer } from './answer.ts';
import { countByAction } from './call-log.ts';
import type { CallLog } from './call-log.ts';
import type { Fault } from './fault.ts';
import type { Faults } from './faults.ts';

export interface ControlOptions {
  readonly state: () => Snapshot;
  readonly calls: CallLog;
  readonly faults: Faults;
  readonly incidents: Incidents;
}

/** A request for a page; `path` is what follows `/control/`. */
export interface PageRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: string;
}

interface Page {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Words in capital letters stand for names. */
  readonly path: string;
  /** `name`: what stood for the word in capital letters. @throws UsageError saying what is allowed */
  readonly answer: (asked: { readonly name: string; readonly request: PageRequest }) => Answer | Promise<Answer>;
}

/** What tests, demos and people look at and pull at: JSON pages (simulator/README.md, Control pages). */
export class ControlPages {
  readonly #options: ControlOptions;
  readonly #pages: readonly Page[];

  constructor(options: ControlOptions) {
    this.#options = options;
    const { state, faults, incidents } = options;
    this.#pages = [
      { method: 'GET', path: 'state', answer: () => json(state()) },
      { method: 'GET', path: 'calls', answer: ({ request }) => this.#calls(request.query) },
      { method: 'GET', path: 'faults', answer: () => json(faults.list()) },
      {
        method: 'POST',
        path: 'faults',
        answer: ({ request }) => json({ id: faults.add(parsed(request.body) as unknown as Fault) }, 201),
      },
      {
        method: 'DELETE',
        path: 'faults',
        answer: () => {
          faults.clear();
          return DONE;
        },
      },
      {
        method: 'DELETE',
        path: 'faults/ID',
        answer: ({ name }) => (faults.remove(Number(name)) ? DONE : problem(404, `there is no fault ${name}`)),
      },
      incident('servers/NAME/start', [], (name) => incidents.start(name)),
      incident('servers/NAME/stop', ['force'], (name, { force = false }) =>
        incidents.stop(name, { force: flagOf('force', force) }),
      ),
      incident('servers/NAME/crash', [], (name) => incidents.crash(name)),
      incident('servers/NAME/rename', ['name'], (name, body) => incidents.rename(name, textOf('name', body['name']))),
      incident('servers/NAME/remove', [], (name) => incidents.remove(name)),
      incident('servers/NAME/state', ['state'], (name, body) =>
        incidents.setState(name, textOf('state', body['state']) as ServerState),
      ),
      incident('volumes/ID/rename', ['id'], (name, body) => incidents.renameVolume(name, textOf('id', body['id']))),
    ];
  }

  async answer(request: PageRequest): Promise<Answer> {
    const here = this.#pages.flatMap((page) => {
      const name = nameIn(request.path, page.path);
      return name === undefined ? [] : [{ page, name }];
    });
    if (here.length === 0) {
      const pages = this.#pages.map(({ method, path }) => `${method} /control/${path}`);
      return problem(404, `there is no page /control/${request.path}; there are ${pages.join(', ')}`);
    }
    const found = here.find(({ page }) => page.method === request.method);
    if (found === undefined) {
      const allow = here.map(({ page }) => page.method).join(', ');
      return { ...problem(405, `this page takes ${allow}, not ${request.method}`), headers: { allow } };
    }
    try {
      return await found.page.answer({ name: found.name, request });
    } catch (error) {
      const status = error instanceof UsageError ? 400 : error instanceof RangeError ? 410 : 500;
      return problem(status, describeError(error));
    }
  }

  #calls(query: URLSearchParams): Answer {
    const { calls } = this.#options;
    const since = query.get('since') ?? '0';
    if (!/^\d+$/.test(since)) throw new UsageError(`since=${since} is not allowed; allowed: the number of a call`);
    const list = calls.since(Number(since));
    return json({ mark: calls.mark(), counts: countByAction(list), calls: list });
  }
}

const DONE = json({});

function problem(status: number, error: string): Answer {
  return json({ error }, status);
}

/** What stands for the word in capital letters, '' where the page has none; `undefined` = it is another page. */
function nameIn(path: string, template: string): string | undefined {
  const [is, wanted] = [path.split('/'), template.split('/')];
  if (is.length !== wanted.length) return undefined;
  let name = '';
  for (const [at, word] of wanted.entries()) {
    if (/^[A-Z]+$/.test(word)) name = is[at] ?? '';
    else if (is[at] !== word) return undefined;
  }
  return name;
}

type Body = Readonly<Record<string, unknown>>;

/** A page that makes something happen; `keys` are those that its body may have. */
function incident(path: string, keys: readonly string[], happen: (name: string, body: Body) => Promise<void>): Page {
  return {
    method: 'POST',
    path,
    answer: async ({ name, request }) => {
      const body = parsed(request.body);
      const stray = Object.keys(body).find((key) => !keys.includes(key));
      if (stray !== undefined) {
        throw new UsageError(`${stray} is not allowed; allowed: ${keys.join(', ') || 'an empty body'}`);
      }
      await happen(name, body);
      return DONE;
    },
  };
}

function parsed(text: string): Body {
  let body: unknown;
  try {
    body = JSON.parse(text === '' ? '{}' : text);
  } catch {
    // The sentence below says it.
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new UsageError('the body is not allowed; allowed: a JSON object');
  }
  return body as Body;
}

function textOf(key: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new UsageError(`${key}=${JSON.stringify(value)} is not allowed; allowed: a text`);
}

function flagOf(key: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new UsageError(`${key}=${JSON.stringify(value)} is not allowed; allowed: true or false`);
}
