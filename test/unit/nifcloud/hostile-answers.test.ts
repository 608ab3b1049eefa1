import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { systemClock } from '../../../daemon/clock.ts';
import { NifcloudError } from '../../../nifcloud/errors.ts';
import { Wire } from '../../../nifcloud/wire.ts';
import { startCloudServer, type CloudServer, type Received } from './cloud-server.ts';
import { errorOf } from './recorded-api.ts';

const never = new AbortController().signal;
const KEYS = { accessKeyId: 'KEY', secretAccessKey: 'secret' };
const ANSWER = '<DescribeXResponse><id>é1</id></DescribeXResponse>';
const REFUSAL =
  '<Response><Errors><Error><Code>Client.InvalidParameterNotFound.Volume</Code><Message>é</Message></Error></Errors></Response>';

function wireTo(endpoint: string, timeoutMs = 10_000): Wire {
  const url = new URL('/api/', endpoint);
  return new Wire({ url, userAgent: 'test/1', timeoutMs, clock: systemClock, proxyEnv: {} });
}

function ask(wire: Wire): Promise<string> {
  return wire.exchange({ action: 'DescribeX', parameters: {}, parse: (answer) => answer.text('id') }, KEYS, never);
}

const encoded =
  (encoding: string, body: Buffer) =>
  ({ response }: Received): void => {
    response.setHeader('content-encoding', encoding);
    response.end(body);
  };

const bytes =
  (...parts: (string | Buffer)[]) =>
  ({ response }: Received): void => {
    response.end(Buffer.concat(parts.map((part) => Buffer.from(part))));
  };

describe('a hostile answer', () => {
  let server: CloudServer;
  let answer: (received: Received) => void;

  beforeEach(async () => {
    server = await startCloudServer((received) => answer(received));
  });
  afterEach(() => server.stop());

  async function failureOf(): Promise<NifcloudError> {
    const error = await errorOf(ask(wireTo(server.endpoint)));
    expect(error).to.be.instanceOf(NifcloudError);
    return error as NifcloudError;
  }

  const readable: [what: string, answer: (received: Received) => void, id: string][] = [
    ['with a byte order mark', bytes('\u{FEFF}', ANSWER), 'é1'],
    ['in Latin-1, but for the letters', bytes(Buffer.from(ANSWER, 'latin1')), '\u{FFFD}1'],
    ['that claims to be in Shift_JIS', bytes('<?xml version="1.0" encoding="Shift_JIS"?>', ANSWER), 'é1'],
    ['with a NUL in a text', bytes(ANSWER.replace('1', '\0')), 'é\0'],
    ['compressed by gzip', encoded('gzip', gzipSync(ANSWER)), 'é1'],
    ['in pieces, after pauses and split inside a letter', pieces, 'é1'],
    ['without some of its elements', bytes('<DescribeXResponse/>'), ''],
  ];
  for (const [what, reply, id] of readable) {
    it(`is read ${what}`, async () => {
      answer = reply;
      expect(await ask(wireTo(server.endpoint))).to.equal(id);
    });
  }

  const zipped = gzipSync(ANSWER);
  const unusable: [what: string, answer: (received: Received) => void][] = [
    ['in UTF-16', bytes(Buffer.from(ANSWER, 'utf16le'))],
    ['in UTF-16 with a byte order mark', bytes(Buffer.from(`\u{FEFF}${ANSWER}`, 'utf16le'))],
    ['with NULs between its elements', bytes('\0'.repeat(1000), ANSWER)],
    ['with NULs in its tags', bytes(ANSWER.replace('<id>', '<i\0d>'))],
    ['compressed without a word', bytes(zipped)],
    ['not compressed, against its word', encoded('gzip', Buffer.from(ANSWER))],
    ['compressed and cut', encoded('gzip', zipped.subarray(0, -12))],
    ['that decompresses to 100 MB', encoded('gzip', gzipSync(Buffer.alloc(100 * 1024 * 1024, ' ')))],
    ['that is a page', bytes('<!DOCTYPE html><html><head><meta charset="utf-8"></head><body>ok<br></body></html>')],
    ['that is JSON', bytes('{"id": 1}')],
    ['with the root of another', bytes(ANSWER.replaceAll('DescribeX', 'DescribeY'))],
    ['with two roots', bytes(ANSWER, ANSWER)],
    ['followed by more', bytes(ANSWER, 'x')],
  ];
  for (const [what, reply] of unusable) {
    it(`has an unknown outcome ${what}`, async () => {
      answer = reply;
      expect(await failureOf()).to.have.property('outcome', 'unknown');
    });
  }

  it('that refuses is understood in any of these forms', async () => {
    for (const reply of [
      bytes('\u{FEFF}', REFUSAL),
      bytes(Buffer.from(REFUSAL, 'latin1')),
      bytes(REFUSAL.slice(0, -1)),
      bytes(REFUSAL, '\0'.repeat(1000)),
      encoded('gzip', gzipSync(REFUSAL)),
    ]) {
      answer = reply;
      expect(await failureOf()).to.include({ code: 'Client.InvalidParameterNotFound.Volume', outcome: 'refused' });
    }
  });

  it('is a refusal or has an unknown outcome, whatever it consists of', async () => {
    const scraps = fc.constantFrom('<Error>', '<Code>Client.X</Code>', '<Response>', '</Response>', ANSWER, REFUSAL);
    const body = fc.array(
      fc.oneof(
        fc.uint8Array(),
        scraps.map((scrap) => Buffer.from(scrap)),
      ),
      { maxLength: 5 },
    );
    const status = fc.constantFrom(200, 204, 302, 400, 404, 500, 503);
    await fc.assert(
      fc.asyncProperty(body, status, async (parts, statusCode) => {
        const sent = Buffer.concat(parts);
        answer = ({ response }) => {
          response.statusCode = statusCode;
          response.end(sent);
        };
        const result = await ask(wireTo(server.endpoint)).catch((error: unknown) => error);
        if (typeof result === 'string') return; // it happened to be an answer
        expect(result).to.be.instanceOf(NifcloudError);
        const { outcome, code } = result as NifcloudError;
        const saysWhy = sent.includes('<Error>') && sent.includes('<Code>');
        expect(outcome).to.be.oneOf(saysWhy ? ['refused', 'unknown'] : ['unknown']);
        if (outcome === 'refused') expect(sent.includes(`<Code>${code}</Code>`)).to.equal(true);
      }),
      { numRuns: 200 },
    );
  });
});

const head = 'HTTP/1.1 200 OK\r\n';
const whole = (id: number): string =>
  `${head}content-length: ${Buffer.byteLength(ANSWER)}\r\n\r\n${ANSWER.replace('1', String(id))}`;

describe('an answer that is no proper HTTP', () => {
  let server: Server;
  let sockets: Set<Socket>;
  let reply: (socket: Socket, index: number) => void;
  let endpoint: string;

  beforeEach(async () => {
    sockets = new Set();
    let index = 0;
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('data', () => reply(socket, index++));
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach((done) => {
    server.close(() => done());
    for (const socket of sockets) socket.destroy();
  });

  const broken: [what: string, text: string][] = [
    ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['without end of its head', `${head}a: b\r\n`],
    ['with a head of a megabyte', `${head}${'a: b\r\n'.repeat(170_000)}\r\n`],
    ['with a negative length', `${head}content-length: -1\r\n\r\n${ANSWER}`],
    ['with two lengths', `${head}content-length: 5\r\ncontent-length: 50\r\n\r\n${ANSWER}`],
    ['with a chunk of no size', `${head}transfer-encoding: chunked\r\n\r\nxyz\r\n${ANSWER}`],
    ['that ends before its length', `${head}content-length: 1000\r\n\r\n${ANSWER}`],
    ['that ends before its last chunk', `${head}transfer-encoding: chunked\r\n\r\n5\r\n${ANSWER}`],
    ['that is cut by its own length', `${head}content-length: 20\r\n\r\n${ANSWER}`],
  ];
  for (const [what, text] of broken) {
    it(`has an unknown outcome ${what}`, async () => {
      reply = (socket) => socket.end(text);
      const error = await errorOf(ask(wireTo(endpoint)));
      expect(error).to.be.instanceOf(NifcloudError).and.to.have.property('outcome', 'unknown');
    });
  }

  it('is read up to its length, and what comes after that is no answer to the next request', async () => {
    reply = (socket, index) => void socket.write(index === 0 ? whole(1) + whole(9) : whole(2));
    const wire = wireTo(endpoint);
    expect(await ask(wire)).to.equal('é1');
    expect(await ask(wire)).to.equal('é2');
  });

  it('has an unknown outcome when it stops on the way, or never gets to the point', async () => {
    for (const text of [`${head}content-length: 1000\r\n\r\n<DescribeX`, 'HTTP/1.1 102 Processing\r\n\r\n', '']) {
      reply = (socket) => void socket.write(text);
      expect(await errorOf(ask(wireTo(endpoint, 50)))).to.include({ code: 'Timeout', outcome: 'unknown' });
    }
  });
});

async function pieces({ response }: Received): Promise<void> {
  for (const byte of Buffer.from(ANSWER)) {
    response.write(Buffer.of(byte));
    await systemClock.sleep(1);
  }
  response.end();
}
