import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { isObject, type Json, type JsonObject, textAt } from '../../../simulator/kubernetes/objects.ts';
import { type ApiServer, startApiServer } from '../../../simulator/kubernetes/server.ts';
import { seededRandom } from '../../../simulator/random.ts';
import { CONVERSATIONS, type Step } from './conversations.ts';
import { type Answer, RawClient } from './raw-client.ts';

/*
 * The answers of a real kube-apiserver 1.36.3, compared with those of the embedded one. To record them anew:
 * start etcd and kube-apiserver with nothing in them, in a folder with `port`, `pki/ca.crt`, `pki/admin.crt` and
 * `pki/admin.key`, and run this test with RECORD_FROM=<that folder>.
 */
const RECORDING = new URL('recorded.jsonl', import.meta.url);

/** One line of the recording. */
interface Recorded {
  readonly conversation: string;
  readonly request: string;
  readonly code: number;
  readonly body: Json;
}

describe('answers of the embedded API server and of a real one', () => {
  let recorded: readonly Recorded[];
  let server: ApiServer;
  let client: RawClient;
  before(async () => {
    const recordFrom = process.env['RECORD_FROM'];
    if (recordFrom !== undefined) await record(recordFrom);
    const lines = readFileSync(RECORDING, 'utf8').trimEnd().split('\n');
    recorded = lines.map((line) => JSON.parse(line) as Recorded);
    // By chance a port could be handed out a second time in a conversation, which would give it the first one's alias.
    server = await startApiServer({ random: seededRandom(1) });
    client = new RawClient(server.url);
  });
  after(async () => {
    client.close();
    await server.stop();
  });

  it('are recorded for every request', () => {
    const requests = Object.entries(CONVERSATIONS).flatMap(([title, steps]) =>
      steps.map((step) => [title, requestLine(step)]),
    );
    expect(recorded.map(({ conversation, request }) => [conversation, request])).to.deep.equal(requests);
  });

  for (const [title, steps] of Object.entries(CONVERSATIONS)) {
    it(`are the same: ${title}`, async () => {
      const answers = await converse(client, steps);
      const real = recorded.filter(({ conversation }) => conversation === title);
      for (const [index, step] of steps.entries()) {
        const shown = ({ code, body }: Pick<Recorded, 'code' | 'body'>): object =>
          step.loose === true ? { code, ...outline(body) } : { code, body };
        expect(shown(answers[index]!), requestLine(step)).to.deep.equal(shown(real[index]!));
      }
    });
  }
});

async function converse(client: RawClient, steps: readonly Step[]): Promise<{ code: number; body: Json }[]> {
  const answers: { code: number; body: Json }[] = [];
  const aliases = new Aliases();
  let previous: Json = null;
  for (const { method, path, body, contentType } of steps) {
    const sent: unknown = typeof body === 'function' ? (body as (previous: Json) => Json)(previous) : body;
    const answer: Answer = await client.call(method, path, sent, contentType);
    previous = answer.body;
    answers.push({ code: answer.code, body: comparable(answer.body, aliases) });
  }
  return answers;
}

async function record(folder: string): Promise<void> {
  const file = (name: string): string => readFileSync(`${folder}/${name}`, 'utf8').trim();
  const tls = { ca: file('pki/ca.crt'), cert: file('pki/admin.crt'), key: file('pki/admin.key') };
  const client = new RawClient(`https://127.0.0.1:${file('port')}`, tls);
  const lines: string[] = [];
  for (const [conversation, steps] of Object.entries(CONVERSATIONS)) {
    const answers = await converse(client, steps);
    for (const [index, step] of steps.entries()) {
      lines.push(
        JSON.stringify({ conversation, request: requestLine(step), ...answers[index] } satisfies Partial<Recorded>),
      );
    }
  }
  writeFileSync(RECORDING, `${lines.join('\n')}\n`);
}

function requestLine({ method, path, body }: Step): string {
  const text = typeof body === 'string' ? body : (JSON.stringify(body) ?? '');
  return `${method} ${path} ${text.length > 200 ? `${text.slice(0, 200)}…` : text}`.trim();
}

function outline(body: Json): JsonObject {
  return { kind: textAt(body, 'kind'), reason: textAt(body, 'reason') };
}

/** Values that differ from run to run. */
const TIMES = ['creationTimestamp', 'deletionTimestamp', 'lastPhaseTransitionTime', 'lastTransitionTime'];
/** The same, but it matters which of them are equal: versions tell what was a change, ports which are shared. */
const IDENTITIES = ['uid', 'resourceVersion', 'clusterIP', 'clusterIPs', 'nodePort', 'healthCheckNodePort'];

/** Names for the identities in a conversation, in the order in which they appear. */
class Aliases {
  readonly #aliases = new Map<string, string>();

  of(value: Json): string {
    const identity = JSON.stringify(value);
    const alias = this.#aliases.get(identity) ?? `<${this.#aliases.size + 1}>`;
    this.#aliases.set(identity, alias);
    return alias;
  }
}

/**
 * What the embedded server leaves out, by where it stands in an answer of the real one: field ownership, what admission
 * adds, and fields that Go writes although they are empty.
 */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = {
  metadata: ['managedFields'],
  status: ['daemonEndpoints', 'nodeInfo', 'qosClass'],
  spec: ['tolerations', 'priority', 'preemptionPolicy'],
  containers: ['resources', 'terminationMessagePath', 'terminationMessagePolicy', 'imagePullPolicy'],
};

/** An answer without what differs from run to run and what the embedded server leaves out on purpose. */
function comparable(value: Json, aliases: Aliases, place = '', key = ''): Json {
  if (IDENTITIES.includes(key) && value !== 'None' && !Array.isArray(value)) return aliases.of(value);
  if (TIMES.includes(key)) return '<time>';
  if (typeof value === 'string') return ['name', 'message', ''].includes(key) ? withoutVolatileParts(value) : value;
  if (Array.isArray(value)) {
    const items = value
      .filter((item) => textAt(item, 'key') !== 'node.kubernetes.io/not-ready')
      .filter((item) => item !== 'kubernetes.io/pvc-protection' && item !== 'kubernetes.io/pv-protection')
      .map((item) => comparable(item, aliases, key, IDENTITIES.includes(key) ? key : ''));
    // The real server states some faults twice.
    return key === 'causes' ? [...new Set(items.map((item) => JSON.stringify(item)))] : items;
  }
  if (!isObject(value)) return value;
  const kept: JsonObject = {};
  for (const name of Object.keys(value).sort()) {
    const inner = value[name] ?? null;
    if (inner === null || LEFT_OUT[key || place]?.includes(name)) continue;
    if (name === 'reportingInstance' && inner === '') continue;
    // A list's version is that of the whole server.
    const isListVersion = name === 'resourceVersion' && value['uid'] === undefined;
    const copy = isListVersion ? '<version>' : comparable(inner, aliases, key || place, name);
    if (Array.isArray(copy) && copy.length === 0 && name !== 'items' && name !== 'causes') continue;
    kept[name] = copy;
  }
  return kept;
}

function withoutVolatileParts(text: string): string {
  return text
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uid>')
    .replaceAll(/in record \(\d+\)/g, 'in record (<version>)')
    .replaceAll(/current: \d+/g, 'current: <version>')
    .replaceAll(/\bgen-[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, 'gen-<random>');
}
